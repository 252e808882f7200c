from cordless import Cordless, webhook

bot = Cordless(public_key="00" * 32)
served = []


@bot.command("ping", description="Say hello")
async def ping(ctx):
    await ctx.send("pong")


@bot.route("GET", "/orders")
async def orders(event, bot):
    served.append(1)
    return {"served": len(served), "connected": webhook._conn is not None}


handler = bot.handler()
