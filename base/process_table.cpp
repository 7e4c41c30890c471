#include "base/process_table.h"

#include "base/encoding.h"
#include "base/text.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <optional>
#include <sstream>
#include <unistd.h>

namespace meshtrust::base {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string link_target(const char* path) {
  std::array<char, 128> target{};
  const ssize_t size = readlink(path, target.data(), target.size());
  return size <= 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

/// A machine id is not for others to see, so only a digest of it leaves.
std::string this_machine() {
  const std::string boot = first_line("/proc/sys/kernel/random/boot_id");
  const std::string space = link_target("/proc/self/ns/pid");
  if (boot.empty() || space.empty()) return {};
  const std::string all = "meshtrust " + first_line("/etc/machine-id") + " " + boot + " " + space;
  constexpr std::size_t kDigits = 32;
  return to_hex(sha256(as_bytes(all))).substr(0, kDigits);
}

struct Stat {
  char state = '?';
  std::string started;
};

/// Fields 3 and 22 of /proc/PID/stat; field 2 is a name in parentheses that may hold anything.
std::optional<Stat> read_stat(long pid) {
  const std::string line = first_line("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_ends = line.rfind(')');
  if (name_ends == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_ends + 1));
  Stat stat;
  rest >> stat.state;
  constexpr int kStarted = 22;
  for (int field = 4; field <= kStarted; ++field) {
    rest >> stat.started;
  }
  if (!rest) return std::nullopt;
  return stat;
}

}  // namespace

std::string ProcessId::text() const {
  return machine + "/" + std::to_string(pid) + "/" + started;
}

ProcessId ProcessId::from_text(const std::string& text) {
  const std::vector<std::string> parts = split(text, '/');
  ProcessId process;
  if (parts.size() != 3) return process;
  const std::string& digits = parts[1];
  const auto [end, problem] =
      std::from_chars(digits.data(), digits.data() + digits.size(), process.pid);
  if (problem != std::errc() || end != digits.data() + digits.size() || process.pid <= 0) return {};
  process.machine = parts[0];
  process.started = parts[2];
  return process;
}

ProcessId SystemProcessTable::self() const {
  const long pid = getpid();
  const auto stat = read_stat(pid);
  // Without its beginning a process cannot be told from a later one.
  if (!stat) return {.machine = {}, .pid = pid, .started = {}};
  return {.machine = this_machine(), .pid = pid, .started = stat->started};
}

bool SystemProcessTable::is_gone(const ProcessId& other) const {
  if (other.machine.empty() || other.pid <= 0 || other.machine != this_machine()) return false;
  // Asked of the kernel: /proc may hide the processes of other users.
  if (kill(static_cast<pid_t>(other.pid), 0) != 0 && errno == ESRCH) return true;
  const auto stat = read_stat(other.pid);
  if (!stat) return false;
  const bool has_ended = stat->state == 'Z' || stat->state == 'X';
  return has_ended || stat->started != other.started;
}

}  // namespace meshtrust::base
