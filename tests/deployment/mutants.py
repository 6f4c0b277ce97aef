"""Deployments with one thing spoiled, by the rule that must notice it."""

from collections.abc import Callable
from typing import Any

from tests.deployment.deployment_files import Deployment

Spoil = Callable[[Deployment], None]


def put(service: str, key: str, value: Any) -> Spoil:
    return lambda of: of.services[service].__setitem__(key, value)


def drop(service: str, key: str) -> Spoil:
    return lambda of: of.services[service].__delitem__(key)


def environment(service: str, key: str, value: str) -> Spoil:
    return lambda of: of.services[service]["environment"].__setitem__(key, value)


def append(service: str, key: str, value: Any) -> Spoil:
    return lambda of: of.services[service].__setitem__(key, [*of.services[service].get(key, []), value])


def wait(service: str, other: str, condition: str | None) -> Spoil:
    def spoil(of: Deployment) -> None:
        if condition is None:
            del of.services[service]["depends_on"][other]
        else:
            of.services[service]["depends_on"][other] = {"condition": condition}

    return spoil


def top(part: str, key: str, value: Any) -> Spoil:
    return lambda of: of.compose.setdefault(part, {}).__setitem__(key, value)


def _replace(of: Deployment, name: str, old: str, new: str) -> None:
    text = getattr(of, name)
    assert old in text, f"the mutant is stale: {old!r} stands no more in {name}"
    setattr(of, name, text.replace(old, new))


def image(old: str, new: str) -> Spoil:
    return lambda of: _replace(of, "dockerfile", old, new)


def raw(old: str, new: str) -> Spoil:
    return lambda of: _replace(of, "raw", old, new)


def ignore(old: str, new: str) -> Spoil:
    return lambda of: _replace(of, "dockerignore", old, new)


def mount(service: str, **changes: Any) -> Spoil:
    return lambda of: of.services[service]["volumes"][0].update(changes)


def new_mount(source: str, target: str) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": target, "bind": {"create_host_path": False}}


OPEN_SERVICE = {"image": "nginx:1.29.3", "command": ["nginx"]}

MUTANTS: dict[str, list[Spoil]] = {
    "exact-versions": [
        put("postgres", "image", "postgres:latest"),
        put("objects", "image", "chrislusf/seaweedfs"),
        put("postgres", "image", "postgres:18"),
        image("FROM python:3.12.12-slim-bookworm AS", "FROM python:3-slim AS"),
    ],
    "no-default-secret": [
        environment("postgres", "POSTGRES_PASSWORD", "airflow"),
        environment("scheduler", "AIRFLOW__CORE__FERNET_KEY", "abc"),
        environment("scheduler", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg://airflow:airflow@postgres/airflow"),
        append("objects", "command", "-admin.password=admin"),
    ],
    "start-refused-while-a-default-secret-stands": [
        wait("postgres", "check", None),
        wait("objects", "check", "service_started"),
        put("check", "command", ["true"]),
        put("check", "secrets", ["fernet_key"]),
        put("scheduler", "entrypoint", ["airflow"]),
        top("services", "another", OPEN_SERVICE),
    ],
    "keys-are-generated": [
        lambda of: of.services["api-server"]["environment"].pop("AIRFLOW__API_AUTH__JWT_SECRET_CMD"),
        environment("scheduler", "AIRFLOW__CORE__FERNET_KEY_CMD", "echo abc"),
        put("triggerer", "secrets", ["fernet_key"]),
    ],
    "ports-on-loopback": [put("api-server", "ports", ["8080:8080"]), put("postgres", "ports", ["127.0.0.1:5432:5432"])],
    "non-root-user": [
        put("objects", "user", "0:0"),
        drop("postgres", "user"),
        image("USER 10001:10001\n", ""),
        put("backup", "user", "root"),
    ],
    "read-only-root": [
        put("postgres", "read_only", False),
        drop("objects", "read_only"),
        put("triggerer", "tmpfs", []),
        append("scheduler", "tmpfs", "/home"),
    ],
    "no-capabilities": [drop("postgres", "cap_drop"), put("objects", "cap_add", ["CHOWN"])],
    "no-new-privileges": [drop("postgres", "security_opt"), put("scheduler", "security_opt", ["no-new-privileges:false"])],
    "no-engine-socket": [
        append("scheduler", "volumes", "/var/run/docker.sock:/var/run/docker.sock"),
        append("scheduler", "volumes", new_mount("/run/podman/podman.sock", "/engine")),
        append("scheduler", "volumes", new_mount("/", "/host")),
    ],
    "no-privileged-mode-and-no-host-namespaces": [
        put("scheduler", "privileged", True),
        put("api-server", "network_mode", "host"),
        put("postgres", "pid", "host"),
        put("postgres", "ipc", "host"),
    ],
    "secrets-are-files": [
        top("secrets", "jwt_secret", {"environment": "JWT_SECRET"}),
        top("secrets", "another", {"file": "./secrets/another"}),
        append("scheduler", "secrets", "undeclared"),
        put("scheduler", "env_file", ".secrets"),
    ],
    "internal-network-for-the-database": [
        top("networks", "database", {}),
        put("postgres", "networks", ["database", "front"]),
        append("scheduler", "networks", "front"),
        drop("triggerer", "networks"),
    ],
    "memory-and-process-limits": [drop("postgres", "mem_limit"), drop("scheduler", "pids_limit"), put("objects", "pids_limit", -1)],
    "health-checks": [
        drop("postgres", "healthcheck"),
        put("objects", "healthcheck", {"disable": True}),
        put("triggerer", "healthcheck", {"test": ["NONE"]}),
        wait("migrate", "postgres", "service_started"),
        wait("scheduler", "api-server", "service_started"),
    ],
    "volumes-closed-to-others": [
        top("volumes", "warehouse", {}),
        mount("postgres", bind={"create_host_path": True}),
        append("objects", "volumes", "objects:/data"),
        mount("postgres", source="/srv/postgres"),
    ],
    "umask-077": [drop("postgres", "entrypoint"), put("objects", "entrypoint", ["/usr/bin/weed"])],
    "log-rotation": [drop("postgres", "logging"), put("scheduler", "logging", {"driver": "json-file"})],
    "expose-config-is-off": [environment("api-server", "AIRFLOW__API__EXPOSE_CONFIG", "True")],
    "examples-are-off": [lambda of: of.services["dag-processor"]["environment"].pop("AIRFLOW__CORE__LOAD_EXAMPLES")],
    "not-everybody-is-admin": [environment("api-server", "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")],
    "dag-folder-is-read-only": [
        append("scheduler", "volumes", new_mount("./dags", "/opt/regulars/dags")),
        environment("dag-processor", "AIRFLOW__CORE__DAGS_FOLDER", "/logs/dags"),
        put("api-server", "read_only", False),
        append("scheduler", "tmpfs", "/opt:size=1m,nosuid,nodev"),
        image("COPY dags dags", "COPY --chown=10001:10001 dags dags"),
    ],
    "tls-at-the-proxy": [
        put("api-server", "command", ["airflow", "api-server"]),
        environment("api-server", "FORWARDED_ALLOW_IPS", "*"),
        put("api-server", "ports", ["0.0.0.0:443:8080"]),
        raw("${REGULARS_URL:-http://127.0.0.1:8080}", "http://127.0.0.1:8080"),
    ],
    "backup-volume-is-separate": [
        mount("backup", source="./data/postgres"),
        mount("backup", source="./data"),
        raw('"${REGULARS_BACKUPS:-./backups}"', '"./backups"'),
        mount("backup", target="/elsewhere"),
    ],
    "restart-with-back-off": [drop("postgres", "restart"), put("scheduler", "restart", "no"), put("migrate", "restart", "always")],
    "time-is-checked-and-utc": [
        environment("check", "REGULARS_UNSYNCHRONISED_CLOCK", "allow"),
        environment("scheduler", "TZ", "Europe/Berlin"),
        lambda of: of.services["postgres"]["command"].remove("timezone=UTC"),
        image("TZ=UTC", "TZ=CET"),
    ],
    "settings-are-those-of-make-up": [
        environment("scheduler", "AIRFLOW__CORE__PARALLELISM", "32"),
        lambda of: of.services["scheduler"]["environment"].pop("SCARF_NO_ANALYTICS"),
    ],
    "the-four-parts-of-airflow-and-their-stores": [
        lambda of: of.services.pop("triggerer"),
        lambda of: of.services.pop("objects"),
    ],
    "image-is-installed-from-hashes": [
        image("--python /opt/venv/bin/python --require-hashes", "--python /opt/venv/bin/python"),
        image("--no-build ", ""),
        image("pip uninstall --yes pip", "pip install httpx"),
    ],
    "no-build-tools-left": [
        image("RUN python -m pip uninstall --yes pip", "RUN apt-get install gcc && python -m pip uninstall --yes pip"),
        image("pip uninstall --yes pip", "compileall"),
        image("COPY --from=environment /opt/venv /opt/venv", "COPY --from=environment / /"),
    ],
    "no-secret-in-a-layer": [
        image("COPY dags dags", "COPY . ."),
        image("COPY dags dags", "COPY secrets secrets"),
        image("COPY dags dags", "ARG PASSWORD"),
        image("TZ=UTC", "TZ=UTC ADMIN_PASSWORD=x"),
        ignore("*\n!requirements.lock", "!requirements.lock"),
        ignore("!dags", "!secrets"),
    ],
}
