#pragma once

#include "base/json.h"
#include "mesh/objects.h"
#include "profiles/installation.h"

#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace meshtrust::mesh {

/// On the webhooks of a revision tag: the tag.
inline constexpr std::string_view kTagLabel = "istio.io/tag";

/// A kind of webhook configuration.
struct WebhookKind {
  std::string_view resource;
  std::string_view kind;
  std::string_view word;  ///< as kubectl takes it
};
inline constexpr std::array kWebhookKinds{WebhookKind{.resource = kMutatingWebhooks,
                                                      .kind = "MutatingWebhookConfiguration",
                                                      .word = "mutatingwebhookconfiguration"},
                                          WebhookKind{.resource = kValidatingWebhooks,
                                                      .kind = "ValidatingWebhookConfiguration",
                                                      .word = "validatingwebhookconfiguration"}};

/// What a webhook calls: a Service, or a server by its URL.
struct WebhookTarget {
  std::string namespace_name = {};
  std::string service = {};
  std::string server = {};  ///< "https://host:15017", without the path; empty for a Service

  bool operator==(const WebhookTarget&) const = default;
  bool operator<(const WebhookTarget& other) const {
    return std::tie(namespace_name, service, server) <
           std::tie(other.namespace_name, other.service, other.server);
  }
};
WebhookTarget target_of(const base::Json& webhook);

/// Whether a webhook is of Istio's kinds, whoever installed it in whatever namespace and revision:
/// its own name is below istio.io, or it calls a Service that is called as those of istiods are.
/// What its configuration is called is for anybody to choose.
bool is_istio_webhook(const base::Json& webhook);

/// Whether what it is asked about is refused while nobody answers.
bool fails_closed(const base::Json& webhook);

/// A webhook that an API server names in its answer, and the configuration that holds it.
struct NamedWebhook {
  const WebhookKind* kind = nullptr;
  std::string configuration = {};
  WebhookTarget target = {};
};

/// The first webhook of `configurations` whose name stands in quotes in `answer`, as where it
/// refused something or could not be called; whosever it is.
std::optional<NamedWebhook> webhook_named_in(std::string_view answer,
                                             const WebhookKind& kind,
                                             const std::vector<base::Json>& configurations);

/// Under which key of `Objects` it stands whether the Service that a webhook calls exists: one key
/// a Service, so that one which nobody may read hides no other.
std::string key_of_called(const WebhookTarget& target);
bool is_key_of_called(std::string_view key);

/// The servers that the webhooks of a resolved installation call by URL; none of one that is called
/// by its Service.
std::set<WebhookTarget> servers_of(const profiles::Installation& installation);

/// A webhook configuration that was made for a control plane.
struct ControlPlaneWebhooks {
  const WebhookKind* kind;
  std::string name;
  std::string uid;
  std::string tag;  ///< the revision tag that it stands for; empty without one
};

/// The configurations by which Istio's installers or istioctl had the control plane of
/// `installation` called, and nobody else: its own, and those of tags that lead to it. Of a kind
/// that is unknown in `objects` there are none.
std::vector<ControlPlaneWebhooks> webhooks_for(const profiles::Installation& installation,
                                               const Objects& objects);

}  // namespace meshtrust::mesh
