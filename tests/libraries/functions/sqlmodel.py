from sqlmodel import Field, Session, SQLModel, create_engine, select


class Order(SQLModel, table=True):
    id: int = Field(primary_key=True)


engine = create_engine("sqlite://")
SQLModel.metadata.create_all(engine)


def handler(event, context):
    with Session(engine) as session:
        session.add(Order(id=len(session.exec(select(Order)).all())))
        session.commit()
        return len(session.exec(select(Order)).all())
