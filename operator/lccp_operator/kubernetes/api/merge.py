"""Strategic merge of a user's pod template over the operator's own, as the API server does it."""

from typing import Any

from lccp.contract.errors import InvalidInput

Object = dict[str, Any]

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}
"""Lists of a PodTemplateSpec that are merged by the key of their items (`patchMergeKey`).

All other lists are atomic: the patch's list replaces the whole.
"""


OF_PODS = (
    "containers",
    "initContainers",
    "ephemeralContainers",
    "volumes",
    "imagePullSecrets",
    "hostAliases",
    "topologySpreadConstraints",
)
NUMBERS = ("containerPort",)
OF_CONTAINERS = ("env", "volumeMounts", "volumeDevices", "ports")
TEXTS = (("env", "value"), ("volumeMounts", "name"))
"""Further fields of the items of a container's lists that are text."""


def check_pod(spec: Object, field: str = "podTemplate") -> None:
    """Raise InvalidInput if what is read of the template `field` has other types than a pod's."""
    for name in ("nodeSelector", "securityContext", "affinity"):
        _check_map(spec.get(name), f"{field}.spec.{name}")
    for name in OF_PODS:
        _check_items(spec.get(name), f"{field}.spec.{name}", MERGE_KEYS[name])
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        _check_container(container, f"{field}.spec.containers[{container['name']}]")


def _check_container(container: Object, where: str) -> None:
    for name in OF_CONTAINERS:
        _check_items(container.get(name), f"{where}.{name}", MERGE_KEYS[name])
    for name in ("resources", "securityContext"):
        _check_map(container.get(name), f"{where}.{name}")
    limits = (container.get("resources") or {}).get("limits")
    _check_map(limits, f"{where}.resources.limits")
    for name, text in TEXTS:
        for item in container.get(name) or ():
            if not isinstance(item.get(text, ""), str | None):
                at = f"{where}.{name}[{item[MERGE_KEYS[name]]}].{text}"
                raise InvalidInput(f"{at} must be a text, not {item[text]!r}")


def _check_map(value: Any, where: str) -> None:
    if value is not None and not isinstance(value, dict):
        raise InvalidInput(f"{where} must be a map, not {value!r}")


def _check_items(items: Any, where: str, key: str) -> None:
    kind = int if key in NUMBERS else str
    if items is not None and not (
        isinstance(items, list) and all(_has(i, key, kind) for i in items)
    ):
        of = "a number" if kind is int else "a text"
        raise InvalidInput(f"{where} must be a list, and every item needs its {key}, which is {of}")


def _has(item: Any, key: str, kind: type) -> bool:
    return isinstance(item, dict) and isinstance(item.get(key), kind) and bool(item[key])


def strategic_merge(base: Object, patch: Object) -> Object:
    """`patch` over `base`; neither is changed. A null in the patch deletes the field."""
    merged = dict(base)
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = _merged(field, merged.get(field), value)
    return merged


def _merged(field: str, base: Any, patch: Any) -> Any:
    if isinstance(base, dict) and isinstance(patch, dict):
        return strategic_merge(base, patch)
    if isinstance(base, list) and isinstance(patch, list) and field in MERGE_KEYS:
        return _merged_list(base, patch, MERGE_KEYS[field])
    return patch


def _merged_list(base: list[Object], patch: list[Object], key: str) -> list[Object]:
    items = {item.get(key): item for item in base}
    for item in patch:
        name = item.get(key)
        items[name] = strategic_merge(items[name], item) if name in items else item
    return list(items.values())
