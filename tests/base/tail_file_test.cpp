#include "base/tail_file.h"

#include "tests/support/matchers.h"
#include "tests/support/temp_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <sys/stat.h>

namespace meshtrust::base {
namespace {

using test::content_of;
using test::FailsWith;
using test::mode_of;
using test::put_file;

class TailFileTest : public testing::Test {
 protected:
  /// What is left of `lines` in a file of `most` bytes.
  std::string kept(const std::vector<std::string>& lines, std::size_t most) {
    {
      auto file = TailFile::create(path, most);
      for (const std::string& line : lines) {
        file->add(line);
      }
    }
    return content_of(path);
  }

  test::TempFolder folder;
  std::filesystem::path path = folder / "log";
};

TEST_F(TailFileTest, KeepsAllOfWhatIsShort) {
  put_file(path, "of the last run\n");
  EXPECT_EQ(kept({"one\n", "two\n"}, 8), "one\ntwo\n");
}

TEST_F(TailFileTest, KeepsWholeLinesOfTheEndAndSaysWhatWasCut) {
  EXPECT_EQ(kept({"one\n", "two\n", "three\n"}, 12),
            "(the 4 bytes before this were cut)\ntwo\nthree\n");
  EXPECT_EQ(kept({"0123456789"}, 4), "(the 6 bytes before this were cut)\n6789");
}

TEST_F(TailFileTest, CountsWhatWasCutBeforeAsWell) {
  std::vector<std::string> lines;
  for (int i = 100; i < 200; ++i) {
    lines.push_back(fmt::format("{}\n", i));
  }
  EXPECT_EQ(kept(lines, 80), fmt::format("(the {} bytes before this were cut)\n", 400 - 76) +
                                 fmt::format("{}", fmt::join(lines.end() - 19, lines.end(), "")));
}

TEST_F(TailFileTest, IsNeverMuchLargerThanWhatIsKept) {
  auto file = TailFile::create(path, 1000);
  for (int i = 0; i < 1000; ++i) {
    file->add(std::string(99, 'x') + "\n");
    ASSERT_LE(std::filesystem::file_size(path), 2100U);
  }
}

TEST_F(TailFileTest, IsForTheUserAloneAndFollowsNoLink) {
  kept({"x"}, 8);
  EXPECT_EQ(mode_of(path), 0600U);
  std::filesystem::create_symlink("log", folder / "link");
  EXPECT_FALSE(TailFile::create(folder / "link", 8));
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(TailFile::create(folder / "fifo", 8),
              FailsWith(Code::kInvalidInput, "'" + (folder / "fifo").string() + "' is no file"));
}

}  // namespace
}  // namespace meshtrust::base
