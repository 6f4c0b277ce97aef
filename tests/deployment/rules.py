"""The rules of a deployment: each gives what is wrong with it, and an empty list when nothing is."""

import re
from collections.abc import Callable, Iterator

from regulars.airflow_environment import SETTINGS
from regulars.deployment.folders import FOLDERS
from regulars.deployment.secret_files import SECRETS
from tests.deployment.deployment_files import ROOT, Deployment, mounts, whole_command

Rule = Callable[[Deployment], Iterator[str]]
RULES: dict[str, Rule] = {}
SECRET_WORDS = re.compile(r"password|secret|token|fernet_key|access_key", re.I)
EXACT = re.compile(r"^[a-z0-9./-]+:\d+\.\d+(\.\d+)?[a-z0-9.-]*(@sha256:[0-9a-f]{64})?$")


def rule(function: Rule) -> Rule:
    RULES[function.__name__.replace("_", "-")] = function
    return function


def _on(value: object) -> bool:
    return str(value).lower() in ("true", "1", "yes", "on", "t")


@rule
def exact_versions(of: Deployment) -> Iterator[str]:
    images = {name: service.get("image", "") for name, service in of.services.items()}
    images |= {f"FROM {at}": rest.split()[0] for at, (word, rest) in enumerate(of.instructions()) if word == "FROM"}
    yield from (f"{name}: {image}" for name, image in images.items() if not EXACT.match(image))


@rule
def no_default_secret(of: Deployment) -> Iterator[str]:
    """No secret stands in the file at all: what looks like one is the path of a file, or the command that reads it."""
    for name, service in of.services.items():
        for key, value in service.get("environment", {}).items():
            names_a_file = key.endswith("_FILE") and str(value).startswith(("/run/secrets/", "/run/regulars/"))
            reads_a_file = key.endswith("_CMD") and str(value).startswith("cat /run/secrets/")
            if SECRET_WORDS.search(key) and not names_a_file and not reads_a_file and key not in ("REGULARS_SECRETS",):
                yield f"{name}: {key}"
            if re.search(r"://[^/@:]*:[^/@]*@", str(value)):
                yield f"{name}: {key} holds a password in an address"
        if re.search(r"(password|secret|token)[=:]\s*[^\s/$]", whole_command(service), re.I):
            yield f"{name}: a secret among the arguments"


@rule
def start_refused_while_a_default_secret_stands(of: Deployment) -> Iterator[str]:
    check = of.services.get("check", {})
    if check.get("command") != ["check"] or check.get("entrypoint") != ["python", "-m", "regulars.deployment"]:
        yield "check does not run the check"
    if sorted(check.get("secrets", [])) != sorted(secret.name for secret in SECRETS):
        yield "check does not see every secret"
    for name, service in of.services.items():
        if name != "check" and service.get("depends_on", {}).get("check", {}).get("condition") != "service_completed_successfully":
            yield f"{name} does not wait for check"
        if name in of.own and name != "check" and service.get("entrypoint") != ["python", "-m", "regulars.deployment", "start"]:
            yield f"{name} starts without holding its secrets to the standard"


@rule
def keys_are_generated(of: Deployment) -> Iterator[str]:
    expected = {
        "AIRFLOW__CORE__FERNET_KEY_CMD": "cat /run/secrets/fernet_key",
        "AIRFLOW__API__SECRET_KEY_CMD": "cat /run/secrets/api_secret_key",
        "AIRFLOW__API_AUTH__JWT_SECRET_CMD": "cat /run/secrets/jwt_secret",
    }
    for name, service in of.airflow.items():
        yield from (f"{name}: {key}" for key, value in expected.items() if service["environment"].get(key) != value)
        yield from (f"{name} lacks {value}" for value in expected.values() if value.rpartition("/")[2] not in service.get("secrets", []))


@rule
def ports_on_loopback(of: Deployment) -> Iterator[str]:
    for name, service in of.services.items():
        yield from (f"{name}: {port}" for port in service.get("ports", []) if not str(port).startswith("127.0.0.1:"))
        if name != "api-server" and service.get("ports"):
            yield f"{name} publishes a port"


@rule
def non_root_user(of: Deployment) -> Iterator[str]:
    for name, service in of.services.items():
        if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", str(service.get("user", ""))):
            yield f"{name}: {service.get('user')}"
    if not any(word == "USER" and re.fullmatch(r"[1-9]\d*:[1-9]\d*", rest) for word, rest in of.instructions()[-3:]):
        yield "Dockerfile ends as root"


@rule
def read_only_root(of: Deployment) -> Iterator[str]:
    for name, service in of.services.items():
        if service.get("read_only") is not True:
            yield name
        if not any(str(place).startswith("/tmp:") for place in service.get("tmpfs", [])):  # noqa: S108
            yield f"{name} has no /tmp"
        yield from (f"{name}: {p}" for p in service.get("tmpfs", []) if "size=" not in p or "nosuid" not in p or "nodev" not in p)


@rule
def no_capabilities(of: Deployment) -> Iterator[str]:
    yield from (name for name, service in of.services.items() if service.get("cap_drop") != ["ALL"] or service.get("cap_add"))


@rule
def no_new_privileges(of: Deployment) -> Iterator[str]:
    yield from (name for name, service in of.services.items() if service.get("security_opt") != ["no-new-privileges:true"])


@rule
def no_engine_socket(of: Deployment) -> Iterator[str]:
    for name, service in of.services.items():
        yield from (
            f"{name}: {m['source']}" for m in mounts(service) if re.search(r"\.sock\b|^/var/run|^/run|^/$", str(m.get("source", "")))
        )


@rule
def no_privileged_mode_and_no_host_namespaces(of: Deployment) -> Iterator[str]:
    for name, service in of.services.items():
        if service.get("privileged") or service.get("devices"):
            yield f"{name} is privileged"
        yield from (f"{name}: {key}" for key in ("network_mode", "pid", "ipc", "userns_mode", "uts", "cgroup") if key in service)


@rule
def secrets_are_files(of: Deployment) -> Iterator[str]:
    declared = of.compose.get("secrets", {})
    if set(declared) != {secret.name for secret in SECRETS}:
        yield "the secrets differ from regulars.deployment.secret_files"
    yield from (name for name, secret in declared.items() if secret != {"file": f"./secrets/{name}"})
    for name, service in of.services.items():
        yield from (f"{name}: {secret}" for secret in service.get("secrets", []) if secret not in declared)
        if "env_file" in service:
            yield f"{name} has an env_file"


@rule
def internal_network_for_the_database(of: Deployment) -> Iterator[str]:
    networks = of.compose.get("networks", {})
    for name in ("database", "objects", "control"):
        if not (networks.get(name) or {}).get("internal"):
            yield f"{name} is not internal"
    if of.services["postgres"].get("networks") != ["database"] or of.services["objects"].get("networks") != ["objects"]:
        yield "a store stands in another network than its own"
    for name, service in of.services.items():
        if "networks" not in service:
            yield f"{name} stands in the default network"
        open_ = set(service.get("networks", [])) - {"database", "objects", "control"}
        if open_ != {"api-server": {"front"}, "scheduler": {"outside"}}.get(name, set()):
            yield f"{name}: {open_}"


@rule
def memory_and_process_limits(of: Deployment) -> Iterator[str]:
    for name, service in of.services.items():
        if not re.fullmatch(r"\d+[mg]", str(service.get("mem_limit", ""))):
            yield f"{name}: memory"
        if not 0 < int(service.get("pids_limit", 0)) <= 4096:
            yield f"{name}: processes"


@rule
def health_checks(of: Deployment) -> Iterator[str]:
    for name, service in of.lasting.items():
        check = service.get("healthcheck", {})
        if check.get("disable") or len(check.get("test", [])) < 2 or check["test"][0] != "CMD":
            yield name
        elif not {"interval", "timeout", "retries", "start_period"} <= set(check):
            yield f"{name}: how often, how long"
    for name, service in of.services.items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_healthy" if other in of.lasting else "service_completed_successfully"
            if how.get("condition") != wanted:
                yield f"{name} waits for {other} in another way than {wanted}"


@rule
def volumes_closed_to_others(of: Deployment) -> Iterator[str]:
    """What is written lies in folders that `make secrets` makes with mode 0700; the engine makes none by itself."""
    if of.compose.get("volumes"):
        yield "a volume that the engine makes"
    for name, service in of.services.items():
        for mount in mounts(service):
            if mount["type"] != "bind" or mount.get("bind", {}).get("create_host_path") is not False:
                yield f"{name}: {mount['target']} may be made by the engine"
            if not mount.get("read_only") and mount.get("source", "").removeprefix("./") not in FOLDERS:
                yield f"{name}: {mount.get('source')} is not prepared"


@rule
def umask_077(of: Deployment) -> Iterator[str]:
    for name, service in of.services.items():
        entrypoint = service.get("entrypoint", [])
        is_ours = entrypoint[:3] == ["python", "-m", "regulars.deployment"]
        if not is_ours and not (entrypoint[:2] == ["sh", "-c"] and entrypoint[2].startswith("umask 077 && exec ")):
            yield name
    if "os.umask(0o077)" not in (ROOT / "regulars/deployment/container.py").read_text():
        yield "the start sets none"


@rule
def log_rotation(of: Deployment) -> Iterator[str]:
    for name, service in of.services.items():
        logging = service.get("logging", {})
        options = logging.get("options", {})
        if logging.get("driver") not in ("local", "json-file") or not options.get("max-size") or not options.get("max-file"):
            yield name


def _setting_is_off(of: Deployment, key: str) -> Iterator[str]:
    yield from (name for name, service in of.airflow.items() if service["environment"].get(key) != "False")


@rule
def expose_config_is_off(of: Deployment) -> Iterator[str]:
    yield from _setting_is_off(of, "AIRFLOW__API__EXPOSE_CONFIG")


@rule
def examples_are_off(of: Deployment) -> Iterator[str]:
    yield from _setting_is_off(of, "AIRFLOW__CORE__LOAD_EXAMPLES")


@rule
def not_everybody_is_admin(of: Deployment) -> Iterator[str]:
    yield from _setting_is_off(of, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS")


@rule
def dag_folder_is_read_only(of: Deployment) -> Iterator[str]:
    for name, service in of.airflow.items():
        folder = service["environment"].get("AIRFLOW__CORE__DAGS_FOLDER", "")
        if folder != "/opt/regulars/dags" or service.get("read_only") is not True:
            yield f"{name}: {folder}"
        places = [*(m["target"] for m in mounts(service) if not m.get("read_only")), *(p.split(":")[0] for p in service.get("tmpfs", []))]
        yield from (f"{name}: {p} can be written" for p in places if folder.startswith(p.rstrip("/")) or p.startswith("/opt/regulars"))
    if any("chown" in rest or "chmod" in rest or "--chown" in rest for word, rest in of.instructions() if word in ("COPY", "RUN")):
        yield "the image gives its code away"


@rule
def tls_at_the_proxy(of: Deployment) -> Iterator[str]:
    """The pages listen on the host's loopback alone, know the proxy's address and believe no other."""
    service = of.services["api-server"]
    if "--proxy-headers" not in service["command"]:
        yield "the proxy's scheme is not heard"
    if service["environment"].get("FORWARDED_ALLOW_IPS") != "127.0.0.1":
        yield "everybody may say to be the proxy"
    if "AIRFLOW__API__BASE_URL: ${REGULARS_URL:-" not in of.raw:
        yield "the address of the pages is fixed"
    yield from ports_on_loopback(of)


@rule
def backup_volume_is_separate(of: Deployment) -> Iterator[str]:
    backup = of.services.get("backup", {})
    targets = [m for m in mounts(backup) if not m.get("read_only")]
    if [m["target"] for m in targets] != ["/backups"]:
        yield "backup writes elsewhere"
    if not re.search(r'source: "\$\{REGULARS_BACKUPS:-\./backups\}"', of.raw):
        yield "the place of the backups cannot be chosen"
    others = [m["source"] for name, s in of.services.items() if name != "backup" for m in mounts(s)]
    yield from (f"{m['source']} is shared" for m in targets for o in others if f"{o}/".startswith(f"{m['source']}/") or m["source"] == ".")


@rule
def restart_with_back_off(of: Deployment) -> Iterator[str]:
    for name, service in of.services.items():
        wanted = r"unless-stopped" if name in of.lasting else r"no|on-failure:\d+"
        if not re.fullmatch(wanted, str(service.get("restart", ""))):
            yield f"{name}: {service.get('restart')}"


@rule
def time_is_checked_and_utc(of: Deployment) -> Iterator[str]:
    check = of.services.get("check", {})
    if check.get("environment", {}).get("REGULARS_UNSYNCHRONISED_CLOCK") != "refuse":
        yield "an unsynchronised clock is not refused"
    yield from (
        f"{name}: {s.get('environment', {}).get('TZ')}" for name, s in of.services.items() if s.get("environment", {}).get("TZ") != "UTC"
    )
    if "timezone=UTC" not in of.services["postgres"]["command"]:
        yield "the database's zone"
    if not any(word == "ENV" and "TZ=UTC" in rest for word, rest in of.instructions()):
        yield "the image's zone"


@rule
def settings_are_those_of_make_up(of: Deployment) -> Iterator[str]:
    for name, service in of.airflow.items():
        yield from (f"{name}: {key}" for key, value in SETTINGS.items() if service["environment"].get(key) != value)


@rule
def the_four_parts_of_airflow_and_their_stores(of: Deployment) -> Iterator[str]:
    parts = {service["command"][1] for service in of.airflow.values()}
    if parts != {"api-server", "scheduler", "dag-processor", "triggerer"}:
        yield str(parts)
    if not {"postgres", "objects"} <= set(of.services):
        yield "a store is missing"


@rule
def image_is_installed_from_hashes(of: Deployment) -> Iterator[str]:
    installs = [part for word, rest in of.instructions() if word == "RUN" for part in rest.split("&&") if re.search(r"\binstall\b", part)]
    if len(installs) != 2:
        yield f"{len(installs)} installations"
    yield from (part for part in installs if "--require-hashes" not in part or ".lock" not in part)
    yield from ("a source distribution may be built" for part in installs if "uv pip" in part and "--no-build" not in part)


@rule
def no_build_tools_left(of: Deployment) -> Iterator[str]:
    if re.search(r"\b(apt|apt-get|apk|gcc|build-essential|make)\b", "\n".join(rest for _, rest in of.instructions())):
        yield "packages of the system are installed"
    stages = [at for at, (word, _) in enumerate(of.instructions()) if word == "FROM"]
    last = of.instructions()[stages[-1] :]
    if len(stages) < 2 or "AS" in last[0][1].split():
        yield "one stage"
    copied = [rest for word, rest in last if word == "COPY" and "--from=" in rest]
    if copied != ["--from=environment /opt/venv /opt/venv"]:
        yield f"copied: {copied}"
    if not any(word == "RUN" and "pip uninstall --yes pip" in rest for word, rest in last):
        yield "an installer is left"


@rule
def no_secret_in_a_layer(of: Deployment) -> Iterator[str]:
    for word, rest in of.instructions():
        takes_too_much = re.search(r"(^|\s)(\.|\*|/|secrets\S*|shop|data|\.env)(\s|$)", rest)
        if word in ("ADD", "ARG") or (word == "COPY" and takes_too_much):
            yield f"{word} {rest}"
        if word == "ENV" and SECRET_WORDS.search(rest):
            yield f"{word} {rest}"
    lines = [line for line in of.dockerignore.splitlines() if line and not line.startswith("#")]
    if lines[0] != "*":
        yield "everything is sent to the builder"
    yield from (line for line in lines if line.startswith("!") and re.search(r"secret|\.env|shop|data|var|\.git", line))
