import dramatiq
from dramatiq.brokers.stub import StubBroker

dramatiq.set_broker(StubBroker())


@dramatiq.actor
def ship(number):
    pass


def handler(event, context):
    ship.send(1)
    broker = dramatiq.get_broker()
    return [sorted(broker.actors), broker.queues["default"].qsize()]
