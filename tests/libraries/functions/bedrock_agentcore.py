from bedrock_agentcore import BedrockAgentCoreApp
from bedrock_agentcore.runtime.context import BedrockAgentCoreContext
from mangum import Mangum

app = BedrockAgentCoreApp()
served = []


@app.entrypoint
def orders(payload):
    before = BedrockAgentCoreContext.get_session_id()
    served.append(1)
    return {"served": len(served), "session": before}


handler = Mangum(app, lifespan="off")
