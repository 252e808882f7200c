import ldclient
from ldclient import Context
from ldclient.config import Config

had_client = ldclient.__config is not None if hasattr(ldclient, "__config") else False
ldclient.set_config(Config("key", offline=True))
client = ldclient.get()


def handler(event, context):
    flag = ldclient.get().variation("flag", Context.create("user"), False)
    return [flag, ldclient.get() is client, client.is_offline()]
