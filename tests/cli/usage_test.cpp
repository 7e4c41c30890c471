#include "cli/exit_code.h"
#include "tests/cli/program_fixture.h"

#include <set>

namespace meshtrust::cli {
namespace {

using ::testing::HasSubstr;

class UsageTest : public testing::ProgramTest {
 protected:
  void expect_usage(const std::vector<std::string>& arguments, const std::string& words) {
    EXPECT_EQ(run(arguments), kUsage) << words;
    EXPECT_EQ(out.str(), "");
    EXPECT_EQ(said(), words);
  }
};

TEST_F(UsageTest, AnswersAMistypedCommandWithTheNearest) {
  expect_usage({"aply"},
               "meshtrust: error: unknown word 'aply'\n"
               "meshtrust: hint: did you mean 'apply'?\n"
               "meshtrust: hint: 'meshtrust --help' lists the commands\n");
}

TEST_F(UsageTest, AnswersAMistypedFlagWithTheNearest) {
  expect_usage({"plan", "--detailed-exitcod"},
               "meshtrust: error: unknown flag '--detailed-exitcod'\n"
               "meshtrust: hint: did you mean '--detailed-exitcode'?\n"
               "meshtrust: hint: 'meshtrust plan --help' shows what it takes\n");
}

TEST_F(UsageTest, NamesNoCommandThatIsNotBuilt) {
  expect_usage({"doctor", "status"},
               "meshtrust: error: unknown word 'doctor'\n"
               "meshtrust: hint: 'meshtrust status --help' shows what it takes\n");
}

TEST_F(UsageTest, SaysWhichWordsAGroupTakes) {
  expect_usage(
      {"ca"},
      "meshtrust: error: 'ca' needs another word\n"
      "meshtrust: hint: it takes one of: create, issue, show, list, request, sign, import, revoke, "
      "crl\n");
}

TEST_F(UsageTest, RefusesValuesThatItDoesNotKnow) {
  expect_usage({"version", "-o", "xml"},
               "meshtrust: error: unknown output form 'xml'\n"
               "meshtrust: hint: use text, wide, json, yaml or name\n");
  expect_usage({"version", "--progress", "fancy"},
               "meshtrust: error: unknown progress style 'fancy'\n"
               "meshtrust: hint: use auto, plain, json or none\n");
  expect_usage({"version", "--timeout", "soon"},
               "meshtrust: error: --timeout: 'soon' is not a duration, expected days, hours, "
               "minutes or seconds, largest first, like 90d, 24h or 1d12h\n");
}

TEST_F(UsageTest, StartsSamplesInLiveClustersAlone) {
  const std::string words =
      "meshtrust: error: --samples starts workloads in live clusters: it goes with neither --from, "
      "--bundle nor --chain\n";
  expect_usage({"verify", "--samples", "--from", "seen.json"}, words);
  expect_usage({"verify", "--samples", "--bundle", "east"}, words);
  expect_usage({"verify", "--samples", "--sample-namespace", "Kube_System"},
               "meshtrust: error: --sample-namespace: 'Kube_System' is no name of a namespace\n"
               "meshtrust: hint: a DNS-1123 label: lower-case letters, digits and '-'\n");
}

TEST_F(UsageTest, KnowsOneThingToStopAfter) {
  expect_usage({"apply", "--only", "mesh"},
               "meshtrust: error: --only: mesh not in {trust}\n"
               "meshtrust: hint: 'meshtrust apply --help' shows what it takes\n");
}

TEST_F(UsageTest, SaysWhatToDoWithoutAMeshFile) {
  EXPECT_EQ(run({"plan", "-f", path("mesh.yaml")}), kBadInput);
  EXPECT_EQ(said(),
            "meshtrust: error: there is no mesh file 'DIR/mesh.yaml'\n"
            "meshtrust: hint: write one with 'meshtrust init --from-contexts east,west', or name "
            "another with --file\n");
}

TEST_F(UsageTest, ShowsTheLineOfAMistakeWithACaret) {
  test::put_file(path("mesh.yaml"),
                 "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n"
                 "  clustres:\n  - {name: east, network: n1}\n");
  EXPECT_EQ(run({"plan", "-f", path("mesh.yaml")}), kBadInput);
  test::expect_golden("golden/cli/mistake.txt", said());
}

TEST(ExitCodes, FollowTheTableFromTheTop) {
  const std::vector<std::pair<base::Code, ExitCode>> expected{
      {base::Code::kUsage, kUsage},
      {base::Code::kInvalidInput, kBadInput},
      {base::Code::kCorrupt, kBadInput},
      {base::Code::kNotFound, kBadInput},
      {base::Code::kLocked, kLocked},
      {base::Code::kUnavailable, kUnreachable},
      {base::Code::kPermission, kNotPermitted},
      {base::Code::kRefused, kRefused},
      {base::Code::kConflict, kRefused},
      {base::Code::kNotYet, kNotYet},
      {base::Code::kPartial, kPartial},
      {base::Code::kCancelled, kPartial},
      {base::Code::kInternal, kFailure}};
  for (const auto& [code, exit] : expected) {
    EXPECT_EQ(exit_code_of(code), exit) << base::name_of(code);
  }
}

TEST(ExitCodes, OfSeveralAreTheFirstInTheTable) {
  std::vector<int> order;
  for (const ExitCodeMeaning& row : exit_code_table()) {
    order.push_back(row.code);
  }
  EXPECT_EQ(order, (std::vector<int>{64, 65, 7, 69, 77, 4, 6, 5, 3, 2, 1, 0}));
  for (const ExitCodeMeaning& a : exit_code_table()) {
    for (const ExitCodeMeaning& b : exit_code_table()) {
      const bool a_first = std::find(order.begin(), order.end(), a.code) <=
                           std::find(order.begin(), order.end(), b.code);
      EXPECT_EQ(more_telling(a.code, b.code), a_first ? a.code : b.code);
    }
  }
  const base::Errors errors{{.code = base::Code::kPermission, .message = ""},
                            {.code = base::Code::kUnavailable, .message = ""}};
  EXPECT_EQ(exit_code_of(errors), kUnreachable);
  EXPECT_EQ(exit_code_of(base::Errors{}), kDone);
}

TEST(ExitCodes, OfFindingsRefuseOrWarn) {
  mesh::Finding finding{.code = "x", .cluster = {}, .message = {}};
  const auto code = [&finding](mesh::Severity severity) {
    finding.severity = severity;
    return exit_code_of(std::span<const mesh::Finding>(&finding, 1));
  };
  EXPECT_EQ(code(mesh::Severity::kCritical), kRefused);
  EXPECT_EQ(code(mesh::Severity::kWarning), kWarnings);
  EXPECT_EQ(code(mesh::Severity::kNote), kDone);
}

TEST_F(UsageTest, HasNoHelpForACommandThatDoesNotExist) {
  expect_usage({"doctor", "--help"},
               "meshtrust: error: unknown word 'doctor'\n"
               "meshtrust: hint: 'meshtrust --help' lists the commands\n");
  expect_usage({"ca", "crete", "--help"},
               "meshtrust: error: unknown word 'crete'\n"
               "meshtrust: hint: did you mean 'create'?\n"
               "meshtrust: hint: 'meshtrust --help' lists the commands\n");
  EXPECT_EQ(run({"ca", "--help"}), kDone);
  EXPECT_EQ(run({"--help"}), kDone);
}

}  // namespace
}  // namespace meshtrust::cli
