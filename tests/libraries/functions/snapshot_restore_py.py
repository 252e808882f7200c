import snapshot_restore_py
from snapshot_restore_py import register_after_restore, register_before_snapshot


@register_before_snapshot
def close():
    pass


@register_after_restore
def open_again():
    pass


def handler(event, context):
    return [
        len(snapshot_restore_py.get_before_snapshot()),
        len(snapshot_restore_py.get_after_restore()),
    ]
