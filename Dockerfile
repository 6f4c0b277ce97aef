# The image of Regulars: the locked environment and the code, nothing that builds, nothing that is secret.
FROM python:3.12.12-slim-bookworm AS environment
COPY requirements-uv.lock requirements.lock /build/
RUN python -m venv /build/uv \
    && /build/uv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /build/requirements-uv.lock \
    && python -m venv --without-pip /opt/venv \
    # Wheels only: nothing is compiled, so that no compiler is needed here either.
    && /build/uv/bin/uv pip install --no-cache --no-build --compile-bytecode --python /opt/venv/bin/python --require-hashes --no-deps \
       -r /build/requirements.lock

FROM python:3.12.12-slim-bookworm
# The base image's own installer would be a way to bring things in; nothing here needs it.
RUN python -m pip uninstall --yes pip
COPY --from=environment /opt/venv /opt/venv
WORKDIR /opt/regulars
# Folder by folder: what is not named here, such as secrets/ and shop/, is in no layer.
COPY regulars regulars
COPY ingestion ingestion
COPY quality quality
COPY models models
COPY scoring scoring
COPY activation activation
COPY reporting reporting
COPY dbt dbt
COPY dags dags
# The places that docker-compose.yml mounts: a read-only root takes no new ones.
RUN /opt/venv/bin/python -m compileall -q /opt/regulars \
    && mkdir -p /shop/config /shop/orders /shop/var /logs /airflow /run/regulars
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/regulars \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    USER=regulars \
    LOGNAME=regulars \
    TZ=UTC \
    REGULARS_HOME=/shop
USER 10001:10001
ENTRYPOINT ["python", "-m", "regulars.deployment"]
CMD ["check"]
