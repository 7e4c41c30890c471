#pragma once

#include "base/files.h"
#include "base/result.h"
#include "base/secret.h"
#include "k8s/client_settings.h"
#include "k8s/exec_plugin.h"

#include <cstdint>
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
  std::uint64_t number = 0;  ///< which one it is, for `refuse`
};

/// Where credentials come from. Thread-safe.
class Credentials {
 public:
  Credentials() = default;
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
  virtual ~Credentials() = default;

  /// For the next request. kInvalidInput when there is none to be had; kUnavailable and kCancelled
  /// of a plugin.
  virtual base::Result<Credential> current() = 0;
  /// The server said 401 to the credential `number`: unless there is a newer one by now, the next
  /// `current` is made afresh. Whether that can make a difference.
  virtual bool refuse(std::uint64_t number) = 0;
};

/// A fixed token or password, a token file (read again at most once a minute, the last good token
/// kept when that fails), or an exec plugin, whose answers are shared through `plugins` where that
/// is not null. `settings` and the effects outlive it.
std::unique_ptr<Credentials> make_credentials(const ClientSettings& settings,
                                              base::Files& files,
                                              const PluginWorld& world,
                                              PluginCache* plugins = nullptr);

}  // namespace meshtrust::k8s
