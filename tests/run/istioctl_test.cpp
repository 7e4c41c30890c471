#include "run/istioctl.h"

#include "tests/support/matchers.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace meshtrust::run {
namespace {

using test::FailsWith;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// An istioctl of a few lines: notes what it is called with, and ends as it is told.
class IstioctlTest : public ::testing::Test {
 protected:
  Istioctl istioctl(const std::string& body) {
    const std::filesystem::path program = root() / "istioctl";
    {
      std::ofstream script(program);
      script << "#!/bin/sh\necho \"$@\" >> '" << (root() / "calls").string() << "'\n"
             << body << "\n";
    }
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return Istioctl({.processes = processes,
                     .files = files,
                     .program = program,
                     .folder = root() / "state" / "meshtrust" / "shop"});
  }

  std::filesystem::path root() const { return folder.path(); }
  base::Result<std::string> text_of(const std::filesystem::path& path) {
    return files.read(path, std::size_t{1} << 20U);
  }
  std::string calls() { return text_of(root() / "calls").value(); }

  static profiles::Installation installation() {
    return {.kind = profiles::Installation::Kind::kIstiod,
            .cluster = "east",
            .namespace_name = "istio-system",
            .revision = {},
            .version = {.major = 1, .minor = 31, .patch = 0},
            .profile = "minimal"};
  }

  const base::Cancellation never;
  const ToolAccess access{
      .arguments = {"--kubeconfig", "/home/me/config", "--context", "kind-east"},
      .environment = {}};
  base::Cancellation cancellation;
  base::SystemProcesses processes{cancellation};
  base::DiskFiles files;
  test::TempFolder folder;
};

TEST_F(IstioctlTest, IsTakenWhenItsVersionIsTheOneWanted) {
  EXPECT_TRUE(istioctl("echo 'client version: 1.31.0'")
                  .expect_version({.major = 1, .minor = 31, .patch = 0}));
}

TEST_F(IstioctlTest, IsRefusedWhenItIsOfAnotherVersion) {
  EXPECT_THAT(istioctl("echo 'client version: 1.30.3'")
                  .expect_version({.major = 1, .minor = 31, .patch = 0}),
              FailsWith(base::Code::kRefused,
                        HasSubstr("is istioctl 1.30.3, the mesh file wants Istio 1.31.0")));
}

TEST_F(IstioctlTest, IsMissedWhenThereIsNone) {
  Istioctl none(
      {.processes = processes, .files = files, .program = root() / "nowhere", .folder = root()});
  EXPECT_THAT(none.expect_version({.major = 1, .minor = 31, .patch = 0}),
              FailsWith(base::Code::kUnavailable, HasSubstr("cannot run")));
}

TEST_F(IstioctlTest, UsesTheUsersKubeconfigAndContext) {
  ASSERT_TRUE(istioctl("exit 0").install(installation(), access, never));
  EXPECT_THAT(calls(), AllOf(HasSubstr("install --skip-confirmation --filename"),
                             HasSubstr("--kubeconfig /home/me/config --context kind-east")));
}

TEST_F(IstioctlTest, IsGivenAFileThatIsGoneAfterwards) {
  Istioctl tool =
      istioctl("while [ $# -gt 0 ]; do [ \"$1\" = --filename ] && cat \"$2\"; shift; done");
  ASSERT_TRUE(tool.install(installation(), access, never));
  EXPECT_THAT(text_of(tool.log_of(installation())).value(), HasSubstr("kind: IstioOperator"));
  EXPECT_EQ(files.list(tool.log_of(installation()).parent_path()).value(),
            std::vector<std::string>{"east-istiod.log"});
}

TEST_F(IstioctlTest, IsQuotedWhenItFails) {
  Istioctl tool =
      istioctl("echo 'fetching charts'; echo 'Error: webhook is unavailable' >&2; exit 3");
  const auto failed = tool.install(installation(), access, never);
  EXPECT_THAT(failed, FailsWith(base::Code::kInternal,
                                HasSubstr("exit code 3: fetching charts / Error: webhook")));
  EXPECT_THAT(failed.error().hints.front(), HasSubstr("east-istiod.log"));
}

TEST_F(IstioctlTest, KeepsItsOutputForTheUserAlone) {
  Istioctl tool = istioctl("echo hello");
  ASSERT_TRUE(tool.install(installation(), access, never));
  EXPECT_EQ(files.facts(tool.log_of(installation()))->mode, 0600U);
}

TEST_F(IstioctlTest, IsStoppedWithItsChildrenWhenTheRunIsCancelled) {
  Istioctl tool = istioctl("echo started; sleep 600 & wait");
  std::jthread later([this, &tool] {
    while (true) {
      const auto log = text_of(tool.log_of(installation()));
      if (log && log->find("started") != std::string::npos) break;
      std::this_thread::yield();
    }
    cancellation.cancel();
  });
  EXPECT_THAT(tool.install(installation(), access, never),
              FailsWith(base::Code::kCancelled, HasSubstr("interrupted")));
}

}  // namespace
}  // namespace meshtrust::run
