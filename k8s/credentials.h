#pragma once

#include "base/clock.h"
#include "base/files.h"
#include "base/processes.h"
#include "base/result.h"
#include "base/secret.h"
#include "k8s/client_settings.h"

#include <memory>
#include <optional>

namespace meshtrust::k8s {

class PluginCache;

/// What goes with a request to say who is asking.
struct Credential {
  /// The value of `Authorization` ("Bearer ...", "Basic ..."); empty for none.
  base::Secret authorization = {};
  /// Set when a plugin has handed out a certificate that the connections do not use yet.
  std::optional<ClientIdentity> new_identity = {};
};

/// Where credentials come from. Thread-safe.
class Credentials {
 public:
  Credentials() = default;
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
  virtual ~Credentials() = default;

  /// For the next request. kInvalidInput when there is none to be had.
  virtual base::Result<Credential> current() = 0;
  /// The server said 401: the next `current` is made afresh. Whether that can make a difference.
  virtual bool refresh() = 0;
};

/// A fixed token or password, a token file (read again at most once a minute, the last good token
/// kept when that fails), or an exec plugin, whose answers are shared through `plugins` where that
/// is not null. `settings` and the effects outlive it.
std::unique_ptr<Credentials> make_credentials(const ClientSettings& settings,
                                              const base::Clock& clock,
                                              base::Files& files,
                                              base::Processes& processes,
                                              PluginCache* plugins = nullptr);

}  // namespace meshtrust::k8s
