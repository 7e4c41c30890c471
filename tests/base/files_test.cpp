#include "base/files.h"

#include "tests/support/matchers.h"
#include "tests/support/temp_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace meshtrust::base {
namespace {

namespace fs = std::filesystem;
using test::content_of;
using test::FailsWith;
using test::mode_of;
using test::put_file;
using test::Succeeds;
using testing::ElementsAre;

class DiskFilesTest : public testing::Test {
 protected:
  std::vector<std::string> names() { return files.list(folder.path()).value(); }
  std::string quoted(const fs::path& path) { return "'" + path.string() + "'"; }

  test::TempFolder folder;
  DiskFiles files;
};

TEST_F(DiskFilesTest, WritesWhatIsPrivateForTheOwnerAlone) {
  const mode_t before = umask(0);
  EXPECT_THAT(files.write(folder / "key", "x", Access::kPrivate, Overwrite::kNever), Succeeds());
  EXPECT_THAT(files.write_secret(folder / "pem", Secret("y"), Overwrite::kNever), Succeeds());
  EXPECT_THAT(files.make_folder(folder / "store", Access::kPrivate), Succeeds());
  umask(before);
  EXPECT_EQ(mode_of(folder / "key"), 0600U);
  EXPECT_EQ(mode_of(folder / "pem"), 0600U);
  EXPECT_EQ(mode_of(folder / "store"), 0700U);
}

TEST_F(DiskFilesTest, WritesWhatIsPublicForEverybodyWhateverTheUmask) {
  const mode_t before = umask(077);
  EXPECT_THAT(files.write(folder / "cert", "x", Access::kPublic, Overwrite::kNever), Succeeds());
  EXPECT_THAT(files.make_folder(folder / "out", Access::kPublic), Succeeds());
  umask(before);
  EXPECT_EQ(mode_of(folder / "cert"), 0644U);
  EXPECT_EQ(mode_of(folder / "out"), 0755U);
}

TEST_F(DiskFilesTest, ReadsBackWhatItWrote) {
  const std::string content("a\0b\n", 4);
  ASSERT_THAT(files.write(folder / "f", content, Access::kPrivate, Overwrite::kNever), Succeeds());
  EXPECT_EQ(files.read(folder / "f", 100).value(), content);
  EXPECT_EQ(reveal(files.read_secret(folder / "f", 100).value(), "test"), content);
  EXPECT_THAT(names(), ElementsAre("f")) << "no temporary name is left";
}

TEST_F(DiskFilesTest, NeverReplacesUnlessToldTo) {
  put_file(folder / "f", "old");
  EXPECT_THAT(files.write(folder / "f", "new", Access::kPrivate, Overwrite::kNever),
              FailsWith(Code::kConflict, quoted(folder / "f") + " already exists"));
  EXPECT_EQ(content_of(folder / "f"), "old");
  EXPECT_THAT(names(), ElementsAre("f"));

  EXPECT_THAT(files.write(folder / "f", "new", Access::kPrivate, Overwrite::kReplace), Succeeds());
  EXPECT_EQ(content_of(folder / "f"), "new");
  EXPECT_EQ(mode_of(folder / "f"), 0600U) << "also where the old file was open to others";
}

TEST_F(DiskFilesTest, ReplacesTheFileAndNotWhatOthersHaveOpen) {
  put_file(folder / "f", "old");
  fs::create_hard_link(folder / "f", folder / "other-name");
  ASSERT_THAT(files.write(folder / "f", "new", Access::kPrivate, Overwrite::kReplace), Succeeds());
  EXPECT_EQ(content_of(folder / "other-name"), "old");
}

TEST_F(DiskFilesTest, NeverWritesThroughALink) {
  put_file(folder / "target", "precious");
  fs::create_symlink(folder / "target", folder / "link");
  EXPECT_THAT(files.write(folder / "link", "x", Access::kPrivate, Overwrite::kReplace),
              FailsWith(Code::kRefused, quoted(folder / "link") +
                                            " is a symbolic link, which is not followed here"));
  EXPECT_THAT(files.write(folder / "link", "x", Access::kPrivate, Overwrite::kNever),
              FailsWith(Code::kConflict, quoted(folder / "link") + " already exists"));
  EXPECT_THAT(files.lock(folder / "link", "me"),
              FailsWith(Code::kRefused, quoted(folder / "link") +
                                            " is a symbolic link, which is not followed here"));
  EXPECT_EQ(content_of(folder / "target"), "precious");
  EXPECT_THAT(names(), ElementsAre("link", "target"));
}

TEST_F(DiskFilesTest, NeverWritesThroughALinkThatLeadsNowhere) {
  fs::create_symlink(folder / "nowhere", folder / "link");
  EXPECT_FALSE(files.write(folder / "link", "x", Access::kPrivate, Overwrite::kReplace));
  EXPECT_FALSE(files.write(folder / "link", "x", Access::kPrivate, Overwrite::kNever));
  EXPECT_THAT(names(), ElementsAre("link"));
}

TEST_F(DiskFilesTest, RefusesAFolderWhereAFileWasDue) {
  fs::create_directory(folder / "d");
  const std::string where = quoted(folder / "d") + ": is a directory";
  EXPECT_THAT(files.read(folder / "d", 100),
              FailsWith(Code::kInvalidInput, "cannot read " + where));
  EXPECT_THAT(files.write(folder / "d", "x", Access::kPrivate, Overwrite::kReplace),
              FailsWith(Code::kInvalidInput, "cannot write " + where));
}

TEST_F(DiskFilesTest, SaysWhichPathIsMissing) {
  EXPECT_THAT(files.read(folder / "no", 100),
              FailsWith(Code::kNotFound,
                        "cannot read " + quoted(folder / "no") + ": no such file or directory"));
  EXPECT_THAT(files.write(folder / "no/f", "x", Access::kPrivate, Overwrite::kNever),
              FailsWith(Code::kNotFound, "cannot open folder " + quoted(folder / "no") +
                                             ": no such file or directory"));
  EXPECT_THAT(files.list(folder / "no"),
              FailsWith(Code::kNotFound,
                        "cannot list " + quoted(folder / "no") + ": no such file or directory"));
  EXPECT_THAT(files.remove(folder / "no"),
              FailsWith(Code::kNotFound,
                        "cannot remove " + quoted(folder / "no") + ": no such file or directory"));
}

TEST_F(DiskFilesTest, ReadsNoMoreThanItsLimit) {
  put_file(folder / "f", std::string(20'000, 'x'));
  EXPECT_EQ(files.read(folder / "f", 20'000).value().size(), 20'000U);
  EXPECT_THAT(files.read(folder / "f", 19'999),
              FailsWith(Code::kInvalidInput, quoted(folder / "f") + " is larger than 19999 bytes"));
}

TEST_F(DiskFilesTest, NeverWaitsForWhatIsNoFile) {
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  const std::string fifo = quoted(folder / "fifo") + " is a FIFO, wanted a file";
  EXPECT_THAT(files.read(folder / "fifo", 100), FailsWith(Code::kInvalidInput, fifo));
  EXPECT_THAT(files.read_secret(folder / "fifo", 100), FailsWith(Code::kInvalidInput, fifo));
  EXPECT_THAT(files.lock(folder / "fifo", "me"), FailsWith(Code::kInvalidInput, fifo));
  EXPECT_THAT(files.write(folder / "fifo", "x", Access::kPublic, Overwrite::kReplace),
              FailsWith(Code::kInvalidInput, fifo));
  fs::create_symlink("fifo", folder / "link");
  EXPECT_THAT(
      files.read(folder / "link", 100),
      FailsWith(Code::kInvalidInput, quoted(folder / "link") + " is a FIFO, wanted a file"));
  EXPECT_THAT(files.read("/dev/zero", 100),
              FailsWith(Code::kInvalidInput, "'/dev/zero' is a device, wanted a file"));
  EXPECT_EQ(files.read("/dev/null", 100).value(), "");
}

TEST_F(DiskFilesTest, NamesASocket) {
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const fs::path path = folder / "s";
  ASSERT_LT(path.native().size(), sizeof(address.sun_path));
  path.native().copy(address.sun_path, path.native().size());
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_THAT(files.read(path, 100),
              FailsWith(Code::kInvalidInput, quoted(path) + " is a socket, wanted a file"));
  close(listener);
}

/// What a shell makes of `<(...)`.
struct Stream {
  Stream() { EXPECT_EQ(pipe(ends.data()), 0); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    close(ends[0]);
    close(ends[1]);
  }
  std::string path() const { return fmt::format("/dev/fd/{}", ends[0]); }

  std::array<int, 2> ends{};
};

TEST_F(DiskFilesTest, ReadsFromADescriptorToItsEnd) {
  Stream stream;
  std::thread writer([&stream] {
    for (const std::string_view part : {"one ", "two"}) {
      EXPECT_EQ(write(stream.ends[1], part.data(), part.size()), static_cast<ssize_t>(part.size()));
    }
    close(stream.ends[1]);
  });
  EXPECT_EQ(files.read(stream.path(), 100).value(), "one two");
  writer.join();
  stream.ends[1] = -1;
}

TEST_F(DiskFilesTest, ReadsNoMoreThanItsLimitFromADescriptor) {
  const Stream stream;
  EXPECT_EQ(write(stream.ends[1], "abcdef", 6), 6);
  EXPECT_THAT(files.read(stream.path(), 5),
              FailsWith(Code::kInvalidInput, "'" + stream.path() + "' is larger than 5 bytes"));
}

TEST_F(DiskFilesTest, StopsReadingFromADescriptorWhenTheRunIsCancelled) {
  const Stream stream;
  Cancellation cancellation;
  DiskFiles cancellable(cancellation);
  std::thread person([&cancellation] { cancellation.cancel(); });
  EXPECT_THAT(cancellable.read(stream.path(), 100), FailsWith(Code::kCancelled, "interrupted"));
  person.join();
}

TEST_F(DiskFilesTest, TakesNoPathThatTheSystemWouldReadOtherwise) {
  put_file(folder / "f", "content");
  const fs::path path = (folder / "f").string() + std::string("\0/../g", 6);
  EXPECT_FALSE(files.read(path, 100));
  EXPECT_FALSE(files.facts(path));
  EXPECT_FALSE(files.remove(path));
  EXPECT_FALSE(files.write(path, "x", Access::kPublic, Overwrite::kReplace));
  EXPECT_EQ(content_of(folder / "f"), "content");
}

TEST_F(DiskFilesTest, LeavesNothingBehindOnAFullDisk) {
  put_file(folder / "f", "old");
  // A limit on the size of files fails a write half-way, as a full disk does.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto replaced =
      files.write(folder / "f", std::string(5000, 'x'), Access::kPrivate, Overwrite::kReplace);
  const auto created =
      files.write_secret(folder / "key", Secret(std::string(5000, 'x')), Overwrite::kNever);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_THAT(replaced, FailsWith(Code::kInternal,
                                  "cannot write " + quoted(folder / "f") + ": file too large"));
  EXPECT_THAT(created, FailsWith(Code::kInternal,
                                 "cannot write " + quoted(folder / "key") + ": file too large"));
  EXPECT_EQ(content_of(folder / "f"), "old");
  EXPECT_THAT(names(), ElementsAre("f"));
}

TEST_F(DiskFilesTest, TellsAReadOnlyFolderFromAMissingOne) {
  fs::permissions(folder.path(), fs::perms{0555});
  // Root may write everywhere, so it becomes nobody for a moment.
  const bool was_root = geteuid() == 0;
  ASSERT_TRUE(!was_root || seteuid(65534) == 0);
  const auto written = files.write(folder / "f", "x", Access::kPrivate, Overwrite::kNever);
  ASSERT_TRUE(!was_root || seteuid(0) == 0);
  EXPECT_THAT(written, FailsWith(Code::kPermission,
                                 "cannot write " + quoted(folder / "f") + ": permission denied"));
}

TEST_F(DiskFilesTest, CreatesAFolderOnce) {
  ASSERT_THAT(files.make_folder(folder / "d", Access::kPrivate), Succeeds());
  EXPECT_THAT(files.make_folder(folder / "d", Access::kPrivate),
              FailsWith(Code::kConflict, quoted(folder / "d") + " already exists"));
}

TEST_F(DiskFilesTest, RemovesAFileAndNeverWhatALinkPointsTo) {
  put_file(folder / "target", "precious");
  fs::create_symlink(folder / "target", folder / "link");
  EXPECT_THAT(files.remove(folder / "link"), Succeeds());
  EXPECT_THAT(names(), ElementsAre("target"));
  fs::create_directory(folder / "d");
  EXPECT_FALSE(files.remove(folder / "d"));
}

TEST_F(DiskFilesTest, TellsFactsAboutThePathItself) {
  put_file(folder / "f", "four");
  fs::permissions(folder / "f", fs::perms{0640});
  fs::create_symlink(folder / "f", folder / "link");
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  const FileFacts facts = files.facts(folder / "f").value();
  EXPECT_EQ(facts.kind, FileKind::kFile);
  EXPECT_EQ(facts.mode, 0640U);
  EXPECT_EQ(facts.size_bytes, 4U);
  EXPECT_TRUE(facts.owned_by_caller);
  EXPECT_EQ(files.facts(folder / "link").value().kind, FileKind::kSymlink);
  EXPECT_EQ(files.facts(folder.path()).value().kind, FileKind::kFolder);
  EXPECT_EQ(files.facts(folder / "fifo").value().kind, FileKind::kOther);
  EXPECT_EQ(files.facts(folder / "no").value().kind, FileKind::kAbsent);
  EXPECT_EQ(files.facts(folder / "f/below").value().kind, FileKind::kAbsent);
}

TEST_F(DiskFilesTest, ListsNamesInOrder) {
  put_file(folder / "b", "");
  put_file(folder / ".a", "");
  put_file(folder / "a", "");
  EXPECT_THAT(names(), ElementsAre(".a", "a", "b"));
}

TEST_F(DiskFilesTest, WritesAndReadsBelowTheWorkingFolderToo) {
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  EXPECT_THAT(files.write("f", "x", Access::kPrivate, Overwrite::kNever), Succeeds());
  fs::current_path(before);
  EXPECT_EQ(content_of(folder / "f"), "x");
}

}  // namespace
}  // namespace meshtrust::base
