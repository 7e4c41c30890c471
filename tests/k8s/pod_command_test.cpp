#include "k8s/pod_command.h"

#include "base/json.h"
#include "tests/k8s/client_fixture.h"
#include "tests/support/fake_tunnel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <ostream>
#include <string>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using std::chrono::milliseconds;
using std::chrono::minutes;
using test::FakeTunnel;
using test::Succeeds;
using Script = std::function<void(FakeTunnel&)>;

const PodCommand kCurl{.namespace_name = "sample",
                       .pod = "curl-0",
                       .container = "curl",
                       .words = {"curl", "-w", "\\n", "http://helloworld.sample:5000/hello?a=b&c"}};
const std::string kSuccess = R"({"metadata":{},"status":"Success"})";

/// As kubelets say it.
std::string ended_with(const std::string& code) {
  return R"({"metadata":{},"status":"Failure","message":"command terminated with non-zero exit )"
         R"(code","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode",)"
         R"("message":")" +
         code + R"("}]}})";
}

class PodCommandTest : public ClientTest {
 protected:
  PodCommandTest() { std::signal(SIGPIPE, SIG_IGN); }

  /// What the pod's end does once it has agreed.
  void pod(Script script) {
    server().on_upgrade([script = std::move(script)](const auto& request, auto& stream) {
      FakeTunnel tunnel(request, stream);
      script(tunnel);
    });
  }
  void pod_that_says(std::string out, std::string err, std::string end) {
    pod([=](FakeTunnel& tunnel) {
      (void)tunnel.stream().write(tunnel.agreement());
      tunnel.say('\1', "");
      if (!out.empty()) tunnel.say('\1', out);
      if (!err.empty()) tunnel.say('\2', err);
      tunnel.say('\3', end);
      tunnel.say_goodbye();
    });
  }

  base::Result<CommandOutcome> run(std::size_t limit_bytes = 1'000) {
    return client()->run_in_pod(kCurl, minutes(1), limit_bytes);
  }
  Error failure() {
    auto outcome = run();
    if (outcome) {
      ADD_FAILURE() << "it ended with " << outcome->exit_code;
      return {};
    }
    Error error = std::move(outcome).error();
    error.message = without_address(error.message);
    return error;
  }
};

TEST_F(PodCommandTest, TellsWhatItSaidOnWhichStream) {
  pod([](FakeTunnel& tunnel) {
    (void)tunnel.stream().write(tunnel.agreement());
    tunnel.say('\1', "");
    tunnel.say('\1', "Hello ");
    tunnel.say('\2', "curl: (28) ");
    tunnel.say('\1', "world\n");
    tunnel.say('\2', "too slow\n");
    tunnel.say('\3', kSuccess);
    tunnel.say_goodbye();
  });
  const auto outcome = run();
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->exit_code, 0);
  EXPECT_EQ(outcome->out, "Hello world\n");
  EXPECT_EQ(outcome->err, "curl: (28) too slow\n");
}

TEST_F(PodCommandTest, AsksForTheCommandWordByWord) {
  pod_that_says("", "", kSuccess);
  ASSERT_THAT(run(), Succeeds());
  const auto seen = server().requests("east").back();
  EXPECT_EQ(seen.path, "/api/v1/namespaces/sample/pods/curl-0/exec");
  EXPECT_EQ(seen.query,
            "stdout=true&stderr=true&container=curl&command=curl&command=-w&command=%5Cn&"
            "command=http%3A%2F%2Fhelloworld.sample%3A5000%2Fhello%3Fa%3Db%26c");
  EXPECT_EQ(seen.headers.at("sec-websocket-protocol"), "v4.channel.k8s.io");
}

TEST_F(PodCommandTest, TellsTheExitCode) {
  pod_that_says("", "no such host\n", ended_with("6"));
  const auto outcome = run();
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->exit_code, 6);
  EXPECT_EQ(outcome->err, "no such host\n");
}

TEST_F(PodCommandTest, TakesOutputThatComesAfterTheEnd) {
  pod([](FakeTunnel& tunnel) {
    (void)tunnel.stream().write(tunnel.agreement());
    tunnel.say('\3', kSuccess);
    tunnel.say('\1', "late");
    tunnel.say_goodbye();
  });
  const auto outcome = run();
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->out, "late");
}

TEST_F(PodCommandTest, NeedsNoGoodbyeOnceTheEndIsKnown) {
  pod([](FakeTunnel& tunnel) {
    (void)tunnel.stream().write(tunnel.agreement());
    tunnel.say('\1', "all");
    tunnel.say('\3', kSuccess);
    tunnel.stream().abort();
  });
  const auto outcome = run();
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->out, "all");
}

TEST_F(PodCommandTest, IsNeverStartedTwice) {
  int asked = 0;
  pod([&asked](FakeTunnel& tunnel) {
    ++asked;
    tunnel.stream().abort();
  });
  EXPECT_EQ(failure().code, Code::kUnavailable);
  EXPECT_EQ(asked, 1);
}

TEST_F(PodCommandTest, DoesNotWaitLongerThanItMay) {
  pod([](FakeTunnel& tunnel) {
    (void)tunnel.stream().write(tunnel.agreement());
    tunnel.wait_for_end();
  });
  const auto outcome = client()->run_in_pod(kCurl, milliseconds(50));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::kUnavailable);
  EXPECT_EQ(without_address(outcome.error().message),
            "'curl' in pod 'sample/curl-0': SERVER did not answer in time");
}

TEST_F(PodCommandTest, EndsAtOnceWhenCancelled) {
  pod([&](FakeTunnel& tunnel) {
    (void)tunnel.stream().write(tunnel.agreement());
    cancellation.cancel();
    tunnel.wait_for_end();
  });
  EXPECT_EQ(failure().code, Code::kCancelled);
}

struct Fault {
  std::string name;
  Script pod;
  std::string message;
  std::vector<std::string> hints = {};
  Code code = Code::kUnavailable;

  friend void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }
};

class PodCommandFaultTest : public PodCommandTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(PodCommandFaultTest, IsTold) {
  pod(GetParam().pod);
  const Error found = failure();
  EXPECT_EQ(found.code, GetParam().code);
  EXPECT_EQ(found.message, GetParam().message);
  EXPECT_EQ(found.hints, GetParam().hints);
}

/// A pod that agrees, says one thing on one channel, and goes.
Script says(char channel, std::string content) {
  return [channel, content = std::move(content)](FakeTunnel& tunnel) {
    (void)tunnel.stream().write(tunnel.agreement());
    tunnel.say(channel, content);
    tunnel.say_goodbye();
  };
}

/// A server that answers the upgrade like this and hangs up.
Script refuses(int code, std::string body, std::string type = "application/json") {
  return [=](FakeTunnel& tunnel) {
    (void)tunnel.stream().write(
        test::on_the_wire({.status = code, .body = body, .content_type = type}));
  };
}

const std::string kIn = "'curl' in pod 'sample/curl-0'";

INSTANTIATE_TEST_SUITE_P(
    Faults,
    PodCommandFaultTest,
    ::testing::Values(
        Fault{"NotRun",
              says('\3',
                   R"({"status":"Failure","message":"unable to start: no such file",)"
                   R"("reason":"InternalError"})"),
              kIn + ": it could not be run: unable to start: no such file"},
        Fault{"AnEndThatIsNoStatus", says('\3', "exit 1"),
              kIn + ": how it ended is not said in a way that is known: 'exit 1'"},
        Fault{"AnExitCodeThatIsNone", says('\3', ended_with("6x")),
              kIn + ": it could not be run: command terminated with non-zero exit code"},
        Fault{"NoEnd", says('\1', "Hello"), kIn + ": the connection ended before the command"},
        Fault{"UnknownChannel", says('\4', "x"),
              kIn + ": a message came for a channel that does not exist"},
        Fault{"TooMuch", says('\1', std::string(1'001, 'x')),
              kIn + ": it says more than 1000 bytes"},
        Fault{
            "Forbidden",
            refuses(403,
                    R"({"kind":"Status","apiVersion":"v1","status":"Failure",)"
                    R"("reason":"Forbidden","message":"User \"me\" cannot create )"
                    R"(resource \"pods/exec\"","code":403})"),
            "running " + kIn + ": not permitted: User \"me\" cannot create resource \"pods/exec\"",
            {"it takes the rights 'get' and 'create' on pods/exec in namespace 'sample'"},
            Code::kPermission},
        Fault{"NoKubelet",
              refuses(404, "404 page not found", "text/plain"),
              "running " + kIn +
                  ": the upgrade to a WebSocket was refused: 404, text/plain, '404 page not found'",
              {"a proxy or a load balancer that knows no WebSocket may stand in between"}}),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace meshtrust::k8s
