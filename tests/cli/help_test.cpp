#include "cli/help.h"

#include "cli/command.h"
#include "tests/cli/program_fixture.h"

#include <algorithm>

namespace meshtrust::cli {
namespace {

using testing::ProgramTest;

class HelpTest : public ProgramTest {};

TEST_F(HelpTest, OfEveryCommandIsWhatItWas) {
  for (const CommandEntry& entry : commands()) {
    std::vector<std::string> arguments;
    std::istringstream words{std::string(entry.name)};
    for (std::string word; words >> word;) {
      arguments.push_back(word);
    }
    std::string file(entry.name);
    std::replace(file.begin(), file.end(), ' ', '-');
    for (const char* flag : {"--help", "-h"}) {
      arguments.emplace_back(flag);
      EXPECT_EQ(run(arguments), kDone) << entry.name;
      arguments.pop_back();
      EXPECT_EQ(err.str(), "");
      test::expect_golden("golden/cli/help/" + file + ".txt", out.str());
    }
  }
}

TEST_F(HelpTest, ShowsTheOverviewForNoWordAtAll) {
  EXPECT_EQ(run({}), kDone);
  test::expect_golden("golden/cli/help/overview.txt", out.str());
  EXPECT_EQ(run({"--help"}), kDone);
  EXPECT_EQ(out.str(), overview());
}

TEST_F(HelpTest, HasThreeExamplesOfEveryCommandAndFitsATerminal) {
  for (const CommandEntry& entry : commands()) {
    EXPECT_EQ(entry.examples.size(), 3U) << entry.name;
    EXPECT_FALSE(entry.summary.ends_with('.')) << entry.name;
    EXPECT_LE(entry.summary.size(), 60U) << entry.name;
  }
}

TEST_F(HelpTest, NamesOnlyCommandsThatExist) {
  std::string known;
  for (const CommandEntry& entry : commands()) {
    known += " " + std::string(entry.name).substr(0, entry.name.find(' ')) + " ";
  }
  for (const CommandEntry& entry : commands()) {
    const std::string text(entry.details);
    for (const char* later :
         {"rotate intermediate", "rotate status", "render", "doctor", "ceremony", "adopt "}) {
      EXPECT_EQ(text.find(later), std::string::npos) << entry.name << " speaks of " << later;
      EXPECT_EQ(known.find(" " + std::string(later) + " "), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace meshtrust::cli
