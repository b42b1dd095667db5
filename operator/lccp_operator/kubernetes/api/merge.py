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


OF_PODS = ("containers", "initContainers", "volumes")
OF_CONTAINERS = ("env", "volumeMounts")


def check_pod(spec: Object) -> None:
    """Raise InvalidInput if a template's `spec` has lists with nameless items, or no maps."""
    _check_map(spec.get("nodeSelector"), "spec.nodeSelector")
    for field in OF_PODS:
        _check_items(spec.get(field), f"spec.{field}", MERGE_KEYS[field])
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        where = f"spec.containers[{container['name']}]"
        for field in OF_CONTAINERS:
            _check_items(container.get(field), f"{where}.{field}", MERGE_KEYS[field])
        resources = container.get("resources")
        _check_map(resources, f"{where}.resources")
        _check_map((resources or {}).get("limits"), f"{where}.resources.limits")


def _check_map(value: Any, where: str) -> None:
    if value is not None and not isinstance(value, dict):
        raise InvalidInput(f"podTemplate.{where} must be a map, not {value!r}")


def _check_items(items: Any, where: str, key: str) -> None:
    keyed = isinstance(items, list) and all(isinstance(i, dict) and i.get(key) for i in items)
    if items is not None and not keyed:
        raise InvalidInput(f"podTemplate.{where} must be a list, and every item needs its {key}")


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
