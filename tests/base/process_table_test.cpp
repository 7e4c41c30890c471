#include "base/process_table.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

namespace meshtrust::base {
namespace {

TEST(ProcessTable, KnowsItselfAndThatItLives) {
  const SystemProcessTable table;
  const ProcessId self = table.self();
  EXPECT_EQ(self.pid, getpid());
  EXPECT_EQ(self.machine.size(), 32U);
  EXPECT_FALSE(self.started.empty());
  EXPECT_EQ(self, table.self());
  EXPECT_FALSE(table.is_gone(self));
}

TEST(ProcessTable, KnowsAProcessThatEndedAlsoBeforeItsParentLooked) {
  const SystemProcessTable table;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(0);
  siginfo_t ended{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  ProcessId process = table.self();
  process.pid = child;
  EXPECT_TRUE(table.is_gone(process)) << "a zombie";
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(table.is_gone(process));
}

TEST(ProcessTable, TellsAProcessFromALaterOneOfTheSamePid) {
  const SystemProcessTable table;
  ProcessId earlier = table.self();
  earlier.started = "1";
  EXPECT_TRUE(table.is_gone(earlier));
}

TEST(ProcessTable, SaysNothingOfProcessesElsewhere) {
  const SystemProcessTable table;
  ProcessId other = table.self();
  other.started = "1";
  for (const char* machine : {"", "another"}) {
    other.machine = machine;
    EXPECT_FALSE(table.is_gone(other)) << machine;
  }
}

TEST(ProcessId, IsReadFromItsText) {
  const ProcessId process{.machine = "5f3a", .pid = 42, .started = "812"};
  EXPECT_EQ(process.text(), "5f3a/42/812");
  EXPECT_EQ(ProcessId::from_text(process.text()), process);
  for (const char* bad :
       {"", "a/b/c", "a/1", "a/-1/2", "a/0/2", "a/1x/2", "a/1/2/3", "a/99999999999999999999/2"}) {
    EXPECT_EQ(ProcessId::from_text(bad), ProcessId{}) << bad;
  }
}

}  // namespace
}  // namespace meshtrust::base
