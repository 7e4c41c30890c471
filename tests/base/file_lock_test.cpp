#include "base/files.h"
#include "tests/support/matchers.h"
#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace meshtrust::base {
namespace {

using test::content_of;
using test::FailsWith;
using test::mode_of;
using test::Succeeds;

/// Another process that holds a lock until it is told to end.
class OtherProcess {
 public:
  OtherProcess(const std::filesystem::path& path, std::string_view holder) {
    std::array<int, 2> ready{};
    MESHTRUST_CHECK(pipe(ready.data()) == 0);
    child_ = fork();
    MESHTRUST_CHECK(child_ >= 0);
    if (child_ == 0) {
      DiskFiles files;
      const auto lock = files.lock(path, holder);
      const char answer = lock ? '+' : '-';
      (void)!write(ready[1], &answer, 1);
      pause();
      _exit(0);
    }
    char answer = 0;
    MESHTRUST_CHECK(read(ready[0], &answer, 1) == 1 && answer == '+');
    close(ready[0]);
    close(ready[1]);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() { kill_it(); }

  /// As SIGKILL does it: no destructor runs over there.
  void kill_it() {
    if (child_ <= 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    child_ = -1;
  }

 private:
  pid_t child_ = -1;
};

class FileLockTest : public testing::Test {
 protected:
  std::string held_by(const std::string& who) {
    return "'" + (folder / "lock").string() + "' is held by " + who;
  }

  test::TempFolder folder;
  DiskFiles files;
};

TEST_F(FileLockTest, NamesTheOtherProcessThatHoldsIt) {
  const OtherProcess other(folder / "lock", "pid 4242 of alice@laptop");
  const auto refused = files.lock(folder / "lock", "me");
  EXPECT_THAT(refused, FailsWith(Code::kLocked, held_by("pid 4242 of alice@laptop")));
  EXPECT_THAT(refused.error().hints,
              testing::ElementsAre("wait for it to end; the lock goes when that process does"));
}

TEST_F(FileLockTest, GoesWithAProcessThatIsKilled) {
  OtherProcess other(folder / "lock", "pid 4242");
  ASSERT_THAT(files.lock(folder / "lock", "me"), FailsWith(Code::kLocked, held_by("pid 4242")));
  other.kill_it();
  const auto lock = files.lock(folder / "lock", "me");
  EXPECT_THAT(lock, Succeeds());
  EXPECT_EQ(content_of(folder / "lock"), "me") << "the words of the dead holder are gone";
}

TEST_F(FileLockTest, IsHeldAgainstTheOwnProcessToo) {
  const auto first = files.lock(folder / "lock", "first");
  ASSERT_THAT(first, Succeeds());
  EXPECT_THAT(files.lock(folder / "lock", "second"), FailsWith(Code::kLocked, held_by("first")));
}

TEST_F(FileLockTest, CanBeTakenAgainOnceLetGo) {
  {
    const auto lock = files.lock(folder / "lock", "first");
    ASSERT_THAT(lock, Succeeds());
    EXPECT_EQ(mode_of(folder / "lock"), 0600U);
  }
  EXPECT_EQ(content_of(folder / "lock"), "") << "nobody is named who no longer holds it";
  EXPECT_THAT(files.lock(folder / "lock", "second"), Succeeds());
}

TEST_F(FileLockTest, SaysWhatItsHolderDoesNow) {
  const auto lock = files.lock(folder / "lock", "a rather long description of the holder");
  ASSERT_THAT(lock, Succeeds());
  ASSERT_THAT((*lock)->describe("short"), Succeeds());
  EXPECT_EQ(content_of(folder / "lock"), "short");
  EXPECT_THAT(files.lock(folder / "lock", "second"), FailsWith(Code::kLocked, held_by("short")));
}

TEST_F(FileLockTest, ShowsNoEscapeSequenceOfItsHolder) {
  const auto lock = files.lock(folder / "lock", "\x1b[2Jgone\n");
  ASSERT_THAT(lock, Succeeds());
  EXPECT_THAT(files.lock(folder / "lock", "me"), FailsWith(Code::kLocked, held_by("?[2Jgone")));
}

TEST_F(FileLockTest, KnowsAHolderThatHasNotSaidItsName) {
  const auto lock = files.lock(folder / "lock", "");
  ASSERT_THAT(lock, Succeeds());
  EXPECT_THAT(files.lock(folder / "lock", "me"),
              FailsWith(Code::kLocked, held_by("another run that has just begun")));
}

}  // namespace
}  // namespace meshtrust::base
