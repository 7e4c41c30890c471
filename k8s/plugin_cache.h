#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "k8s/exec_plugin.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace meshtrust::k8s {

/// The last answer of one exec plugin. Thread-safe; one run at a time, whose answer all share.
class PluginRun {
 public:
  struct Answer {
    base::Secret token = {};
    std::shared_ptr<const ClientIdentity> identity = {};  ///< null when there is none
    std::uint64_t number = 0;                             ///< counts the runs, from 1
  };

  /// The last answer while it is in force, else that of a new run. An answer that has expired on
  /// arrival serves this once. A failure is that of all who ask within the next seconds.
  base::Result<Answer> current(const ClientSettings& settings, const PluginWorld& world);
  /// The server refused the answer `number`: unless there is a newer one, run again next time.
  void refuse(std::uint64_t number);

 private:
  std::mutex mutex_;
  base::Secret token_;
  std::shared_ptr<const ClientIdentity> identity_;
  std::optional<base::Instant> expires_;
  std::uint64_t number_ = 0;
  bool has_answer_ = false;
  struct Failed {
    base::Error error;
    base::Clock::Steady at;
  };
  std::optional<Failed> failed_;

  base::Status run(const ClientSettings& settings, const PluginWorld& world);
};

/// The plugins of a run, by what they are and what they are told: contexts that share a user share
/// its plugin's answer, however many clients there are.
class PluginCache {
 public:
  std::shared_ptr<PluginRun> of(const ClientSettings& settings);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<PluginRun>> runs_;
};

}  // namespace meshtrust::k8s
