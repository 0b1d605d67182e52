"""A LangChain agent whose model is a script: it calls the tool that it is told to, and then stops."""

from desk import SOURCE, STATED, refund, serve
from langchain.agents import create_agent
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from toolgate import Toolgate
from toolgate.langchain import ToolgateMiddleware

GATE = Toolgate(source=SOURCE)
AGENTS = {}


class Scripted(BaseChatModel):
    """Calls the tool with what the user wrote, and is done when it has been answered."""

    @property
    def _llm_type(self):
        return "scripted"

    def bind_tools(self, tools, **_):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **_):
        last = messages[-1]
        if isinstance(last, ToolMessage):
            said = AIMessage("done")
        else:
            order = last.additional_kwargs["order"]
            said = AIMessage("", tool_calls=[{"name": "refund", "args": order["args"], "id": order["call"]}])
        return ChatResult(generations=[ChatGeneration(message=said)])


def agent(way):
    if way not in AGENTS:
        middleware = ToolgateMiddleware(GATE, {"refund": STATED}, on_approval=way, wait_timeout=30)
        AGENTS[way] = create_agent(Scripted(), [refund], middleware=[middleware], checkpointer=InMemorySaver())
    return AGENTS[way]


def run(order):
    asked = {"role": "user", "content": "go", "additional_kwargs": {"order": order}}
    return told(agent(order["way"]).invoke({"messages": [asked]}, thread(order)))


def resume(order):
    return told(agent(order["way"]).invoke(Command(resume="go on"), thread(order)))


def thread(order):
    return {"configurable": {"thread_id": order["thread"]}}


def told(state):
    if state.get("__interrupt__"):
        return {"interrupted": state["__interrupt__"][0].value}
    return {"saw": [message.content for message in state["messages"] if isinstance(message, ToolMessage)][-1]}


serve(run, resume)
