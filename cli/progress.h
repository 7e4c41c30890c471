#pragma once

#include "base/clock.h"
#include "cli/session.h"
#include "run/execute.h"

#include <memory>
#include <string>

namespace meshtrust::cli {

/// What is going on, told while it goes on: one live line a cluster on a terminal (at most twenty,
/// then a summary), plain lines elsewhere, one JSON object an event with `--progress json`.
class Progress : public run::Events {
 public:
  /// A cluster is asked for something, until `answered`; only what takes long is told.
  virtual void asking(const std::string& cluster, const std::string& what) = 0;
  virtual void answered(const std::string& cluster) = 0;
  /// A cluster has been looked at; `total` are to be.
  virtual void observed(const std::string& cluster, std::size_t done, std::size_t total) = 0;
  /// The run is over: live lines are taken away, what was done stays.
  virtual void close() = 0;
};

std::unique_ptr<Progress> make_progress(const Session& session);

}  // namespace meshtrust::cli
