#pragma once

#include <string>

namespace meshtrust::base {

/// One process among all of all machines.
struct ProcessId {
  /// Which machine, since which boot, in which PID namespace: equal where PIDs mean the same. A
  /// digest; "" where it cannot be told, which equals nothing.
  std::string machine = {};
  long pid = 0;
  /// When it began, in clock ticks since the boot: tells it from a later one of the same PID.
  std::string started = {};

  /// "5f3a.../4242/81234", and back; what is no such text gives a process of no machine.
  std::string text() const;
  static ProcessId from_text(const std::string& text);
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

/// The processes of this machine, as a parameter.
class ProcessTable {
 public:
  ProcessTable() = default;
  ProcessTable(const ProcessTable&) = delete;
  ProcessTable& operator=(const ProcessTable&) = delete;
  virtual ~ProcessTable() = default;

  virtual ProcessId self() const = 0;
  /// Whether `other` is certain to have ended: a process of this machine that is no more. False for
  /// all of which that cannot be known.
  virtual bool is_gone(const ProcessId& other) const = 0;
};

/// By /proc (Linux).
class SystemProcessTable final : public ProcessTable {
 public:
  ProcessId self() const override;
  bool is_gone(const ProcessId& other) const override;
};

}  // namespace meshtrust::base
