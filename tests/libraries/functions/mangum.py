from contextlib import asynccontextmanager

from fastapi import FastAPI
from mangum import Mangum

seen = []


@asynccontextmanager
async def lifespan(app):
    seen.append("up")
    yield
    seen.append("down")


app = FastAPI(lifespan=lifespan)


@app.get("/orders")
async def orders():
    return seen


handler = Mangum(app, lifespan="auto")
