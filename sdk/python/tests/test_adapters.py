"""What the adapters do with answers that the gate changed, withheld, or never gave."""

import asyncio
import json
import unittest

from claude_agent_sdk import tool
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import StructuredTool, ToolException
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.toolsets import FunctionToolset

from toolgate.claude import Calls, hooks
from toolgate.flows import PROPOSAL_TRIES
from toolgate.langchain import ToolgateMiddleware
from toolgate.openai_agents import context_parameter, function_tool
from toolgate.pydantic_ai import ToolgateToolset
from toolgate.testing import FakeGate

SECRET = "DE00 1234"


def gates():
    fake = FakeGate()
    fake.allow("app.*")
    return fake


class Claude(unittest.TestCase):
    """Hooks, with the inputs that the SDK gives them."""

    def setUp(self):
        self.fake = gates()
        self.calls = Calls(self.fake.async_client(), {}, (), "return", 1.0)

    def before(self, id="toolu_1", name="Bash", **arguments):
        given = {
            "hook_event_name": "PreToolUse",
            "session_id": "s",
            "tool_name": name,
            "tool_input": arguments,
            "tool_use_id": id,
        }
        return asyncio.run(self.calls.before(given, id, {"signal": None}))["hookSpecificOutput"]

    def after(self, response, id="toolu_1"):
        given = {"hook_event_name": "PostToolUse", "tool_use_id": id, "tool_name": "Bash", "tool_response": response}
        return asyncio.run(self.calls.after(given, id, {"signal": None})).get("hookSpecificOutput")

    def test_the_arguments_as_judged_are_handed_on(self):
        self.fake.sanitize("app.Bash", command="ls [path]")
        self.assertEqual(
            self.before(command="ls /home"),
            {"hookEventName": "PreToolUse", "permissionDecision": "allow", "updatedInput": {"command": "ls [path]"}},
        )

    def test_an_answer_is_replaced_only_where_the_gate_changed_it(self):
        said = [{"type": "text", "text": json.dumps({"iban": SECRET})}]
        self.before()
        self.assertIsNone(self.after(said))
        self.fake.withhold("app.Bash", lambda data: {"iban": "[iban]"})
        self.before("toolu_2")
        self.assertEqual(
            self.after(said, "toolu_2")["updatedToolOutput"], [{"type": "text", "text": '{"iban": "[iban]"}'}]
        )

    def test_a_withheld_answer_keeps_its_form_so_that_the_sdk_takes_it(self):
        self.fake.withhold("app.Bash", lambda data: None)
        self.before()
        left = self.after({"stdout": SECRET, "stderr": SECRET, "interrupted": False})["updatedToolOutput"]
        self.assertEqual((sorted(left), left["interrupted"]), (["interrupted", "stderr", "stdout"], False))
        self.assertNotIn("1234", json.dumps(left))

    def test_an_answer_that_says_it_is_an_error_is_none(self):
        self.before()
        self.after({"content": [{"type": "text", "text": "no"}], "is_error": True})
        self.assertEqual([one.status for one in self.fake.invocations.values()], ["unknown_effect"])

    def test_a_gate_that_cannot_be_asked_denies(self):
        for _ in range(PROPOSAL_TRIES + 1):
            self.fake.lose("propose", "request")
        self.assertEqual(self.before()["permissionDecision"], "deny")

    def test_a_call_without_a_lease_is_left_alone(self):
        self.assertIsNone(self.after("whatever", "toolu_9"))

    def test_hooks_fail_closed_and_know_the_schemas_of_own_tools(self):
        @tool("refund", "Pays back.", {"type": "object", "properties": {"charge": {"type": "string"}}})
        async def refund(arguments):
            return {"content": []}

        made = hooks(self.fake.client(), tools=[refund])
        self.assertEqual({matcher[0].on_failure for matcher in made.values()}, {"block"})
        calls = Calls(self.fake.client(), {}, [refund], "return", 1.0)
        self.assertIn("charge", calls.definition("mcp__desk__refund").input_schema["properties"])
        self.assertEqual(calls.definition("refund").input_schema, {"type": "object"})


class LangChain(unittest.TestCase):
    """The middleware."""

    def asked(self, fake, function):
        class Model(GenericFakeChatModel):
            def bind_tools(self, tools, **_):
                return self

        name = getattr(function, "name", None) or function.__name__
        call = AIMessage("", tool_calls=[{"name": name, "args": {"customer": "c_1"}, "id": "call_1"}])
        agent = create_agent(
            Model(messages=iter([call, AIMessage("done")])), [function], middleware=[ToolgateMiddleware(fake.client())]
        )
        [message] = [one for one in agent.invoke({"messages": ["go"]})["messages"] if isinstance(one, ToolMessage)]
        return message

    def test_the_model_sees_what_the_gate_left(self):
        def account(customer: str) -> dict:
            """Looks up an account."""
            return {"iban": SECRET}

        fake = gates()
        self.assertIn("1234", self.asked(fake, account).content)
        fake.withhold("app.account", lambda data: {**data, "iban": "[iban]"})
        self.assertEqual(json.loads(self.asked(fake, account).content), {"iban": "[iban]"})

    def test_a_gate_that_cannot_be_asked_runs_nothing(self):
        ran = []

        def account(customer: str) -> str:
            """Looks up an account."""
            return ran.append(customer) or "seen"

        fake = gates()
        for _ in range(PROPOSAL_TRIES):
            fake.lose("propose", "request")
        message = self.asked(fake, account)
        self.assertEqual((message.status, ran), ("error", []))
        self.assertIn("Not executed", message.content)

    def test_a_tool_that_answers_with_an_error_leaves_an_unknown_effect(self):
        def account(customer: str) -> str:
            """Closes an account."""
            raise ToolException("the line broke")

        fake = gates()
        message = self.asked(fake, StructuredTool.from_function(account, handle_tool_error=True))
        self.assertEqual([one.status for one in fake.invocations.values()], ["unknown_effect"])
        self.assertTrue(message.content.startswith("Unknown effect: "), message.content)

    def test_a_function_that_is_guarded_already_is_judged_once(self):
        fake = gates()

        @fake.client().tool
        def account(customer: str) -> str:
            """Looks up an account."""
            return "seen"

        self.assertEqual(self.asked(fake, account).content, "seen")
        self.assertEqual(len(fake.invocations), 1)


class PydanticAI(unittest.TestCase):
    """The toolset."""

    def test_a_tool_that_asks_to_be_called_differently_did_nothing(self):
        fake, calls = gates(), []

        def refund(charge: str) -> str:
            """Pays back."""
            calls.append(charge)
            if charge == "wrong":
                raise ModelRetry("take another charge")
            return "done"

        def model(messages, _):
            charge = ["wrong", "right", None][len(messages) // 2]
            return ModelResponse(parts=[ToolCallPart("refund", {"charge": charge}) if charge else TextPart("done")])

        agent = Agent(FunctionModel(model), toolsets=[ToolgateToolset(FunctionToolset([refund]), fake.async_client())])
        self.assertEqual(asyncio.run(agent.run("go")).output, "done")
        self.assertEqual(calls, ["wrong", "right"])
        self.assertEqual([one.status for one in fake.invocations.values()], ["failed", "succeeded"])


class OpenAI(unittest.TestCase):
    """The tool."""

    def test_the_schema_is_the_functions_own(self):
        from agents import RunContextWrapper

        def refund(context: RunContextWrapper[None], charge: str, amount: int) -> dict:
            """Pays back."""
            return {}

        made = function_tool(gates().client(), risk="high")(refund)
        self.assertEqual(context_parameter(refund), ("context",))
        self.assertEqual(list(made.params_json_schema["properties"]), ["charge", "amount"])
        self.assertEqual((made.name, made.description), ("refund", "Pays back."))


if __name__ == "__main__":
    unittest.main()
