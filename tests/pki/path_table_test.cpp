#include "pki/lint.h"
#include "pki/path/rules.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace meshtrust::pki {
namespace {

constexpr const char* kPage = MESHTRUST_TEST_DATA "/../docs/verifiers.md";
constexpr std::string_view kBegin = "<!-- table of checks -->\n";
constexpr std::string_view kEnd = "<!-- end of table -->\n";

std::string places_text(const Rules& rules, Check check) {
  std::string text;
  if (rules.checks(check, Role::kLeaf)) text += "leaf ";
  if (rules.checks(check, Role::kIntermediate)) text += "CAs ";
  if (rules.checks(check, Role::kAnchor)) text += "root ";
  if (text.empty()) return "-";
  text.pop_back();
  return text == "leaf CAs root" ? "all" : text;
}

/// Ours: what refuses, and what is told by a rule of `lint` beside a path that is accepted.
std::string own_text(const CheckInfo& info) {
  const std::string refused = places_text(own_rules(), info.check);
  const std::string told = places_text(profile_rules(), info.check);
  if (told == "-") return refused;
  const std::string finding = told + ": `" + std::string(info.lint_rule) + "`";
  return refused == "-" ? "finding, " + finding
                        : refused + "; of extensions that nothing uses a finding, " + finding;
}

std::string table() {
  std::string text =
      "| check | what must hold | source | meshtrust | Go | BoringSSL | rustls-webpki |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const CheckInfo& info : all_checks()) {
    if (info.check == Check::kNoIssuer) break;  // what follows is about paths and lists
    text += "| `" + std::string(info.id) + "` | " + std::string(info.summary) + " | " +
            std::string(info.source);
    text += " | " + own_text(info);
    for (const Rules* rules : modelled_rules()) {
      text += " | " + places_text(*rules, info.check);
    }
    text += " |\n";
  }
  return text;
}

TEST(VerifiersPage, HasTheTableOfTheRules) {
  std::ifstream file(kPage);
  std::ostringstream read;
  read << file.rdbuf();
  const std::string page = read.str();
  const auto begin = page.find(kBegin);
  const auto end = page.find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos);
  const auto from = begin + kBegin.size();
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(kPage) << page.substr(0, from) << table() << page.substr(end);
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), table()) << "UPDATE_GOLDEN=1 rewrites it";
}

TEST(ProfileRules, TellWithARuleOfLintWhatValidationDoesNotRefuse) {
  for (const CheckInfo& info : all_checks()) {
    for (const Role role : {Role::kLeaf, Role::kIntermediate, Role::kAnchor}) {
      const bool refuses = own_rules().checks(info.check, role);
      const bool tells = profile_rules().checks(info.check, role);
      EXPECT_EQ(strict_rules().checks(info.check, role), refuses || tells) << info.id;
      if (!tells) continue;
      EXPECT_NE(std::ranges::find(lint_rules(), info.lint_rule, &Rule::id), lint_rules().end())
          << info.id;
    }
  }
}

}  // namespace
}  // namespace meshtrust::pki
