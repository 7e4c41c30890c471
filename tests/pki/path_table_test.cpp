#include "pki/path/rules.h"

#include <gmock/gmock.h>

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

std::string table() {
  std::string text =
      "| check | what must hold | source | meshtrust | Go | BoringSSL | rustls-webpki |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const CheckInfo& info : all_checks()) {
    if (info.check == Check::kNoIssuer) break;  // what follows is about paths and lists
    text += "| `" + std::string(info.id) + "` | " + std::string(info.summary) + " | " +
            std::string(info.source);
    for (const Rules* rules : {&own_rules(), &go_rules(), &boringssl_rules(), &webpki_rules()}) {
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

}  // namespace
}  // namespace meshtrust::pki
