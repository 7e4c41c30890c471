#include "mesh/webhooks.h"

#include "istio/names.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::mesh {
namespace {

using base::Json;
using Targets = std::set<WebhookTarget>;

std::string server_of(const std::string& url) {
  const auto scheme = url.find("://");
  return scheme == std::string::npos ? url : url.substr(0, url.find('/', scheme + 3));
}

bool is_made_by_istio(const Json& configuration) {
  const Json& labels = base::at_path(configuration, {"metadata", "labels"});
  return labels.contains(istio::kInstallerComponentLabel) || labels.contains(istio::kRevisionLabel);
}

/// By what a control plane is called: its Service, or the server that it was installed with, or
/// that its injection webhook has the URL of by now.
Targets targets_of(const profiles::Installation& installation, const Objects& objects) {
  Targets targets{{.namespace_name = installation.namespace_name,
                   .service = istio::istiod_name(installation.revision)}};
  targets.merge(servers_of(installation));
  const auto injection =
      objects.find(kMutatingWebhooks, {},
                   istio::injection_webhook(installation.revision, installation.namespace_name));
  if (const Json* live = injection.found(Unknown::kNothingFollows)) {
    for (const Json& webhook : list_at(*live, {"webhooks"})) {
      WebhookTarget target = target_of(webhook);
      if (!target.server.empty()) targets.insert(std::move(target));
    }
  }
  return targets;
}

bool calls_only(const Json& configuration, const Targets& targets) {
  const Json& webhooks = list_at(configuration, {"webhooks"});
  return !webhooks.empty() &&
         std::all_of(webhooks.begin(), webhooks.end(), [&targets](const Json& webhook) {
           return targets.contains(target_of(webhook));
         });
}

}  // namespace

WebhookTarget target_of(const Json& webhook) {
  const Json& client = base::at_path(webhook, {"clientConfig"});
  const Json& service = base::at_path(client, {"service"});
  return {.namespace_name = base::string_at(service, "namespace"),
          .service = base::string_at(service, "name"),
          .server = server_of(base::string_at(client, "url"))};
}

bool is_istio_webhook(const Json& webhook) {
  const std::string service = target_of(webhook).service;
  return base::string_at(webhook, "name").ends_with(".istio.io") ||
         service == istio::istiod_name({}) || service.starts_with(istio::istiod_name({}) + "-");
}

bool fails_closed(const Json& webhook) {
  return base::string_at(webhook, "failurePolicy", "Fail") == "Fail";
}

std::optional<NamedWebhook> webhook_named_in(std::string_view answer,
                                             const WebhookKind& kind,
                                             const std::vector<Json>& configurations) {
  for (const Json& configuration : configurations) {
    for (const Json& webhook : list_at(configuration, {"webhooks"})) {
      const std::string name = base::string_at(webhook, "name");
      if (name.empty() || answer.find("\"" + name + "\"") == std::string_view::npos) continue;
      return NamedWebhook{
          .kind = &kind, .configuration = name_of(configuration), .target = target_of(webhook)};
    }
  }
  return std::nullopt;
}

std::string key_of_called(const WebhookTarget& target) {
  return fmt::format("{}/{}/{}", kCalledServices, target.namespace_name, target.service);
}

bool is_key_of_called(std::string_view key) {
  return key.starts_with(kCalledServices) && key.substr(kCalledServices.size()).starts_with('/');
}

std::set<WebhookTarget> servers_of(const profiles::Installation& installation) {
  const Json& values = installation.values;
  std::set<WebhookTarget> servers;
  for (const std::string& url :
       {base::string_at(base::at_path(values, {"istiodRemote"}), "injectionURL"),
        base::string_at(base::at_path(values, {"base"}), "validationURL")}) {
    if (!url.empty()) servers.insert({.server = server_of(url)});
  }
  return servers;
}

std::vector<ControlPlaneWebhooks> webhooks_for(const profiles::Installation& installation,
                                               const Objects& objects) {
  const Targets targets = targets_of(installation, objects);
  std::vector<ControlPlaneWebhooks> all;
  for (const WebhookKind& kind : kWebhookKinds) {
    const auto list = objects.list(kind.resource);
    const auto* found = list.found(Unknown::kNothingFollows);
    for (const Json& configuration : found != nullptr ? *found : Objects::List()) {
      if (!is_made_by_istio(configuration) || !calls_only(configuration, targets)) continue;
      all.push_back({.kind = &kind,
                     .name = name_of(configuration),
                     .uid = uid_of(configuration),
                     .tag = base::string_at(base::at_path(configuration, {"metadata", "labels"}),
                                            kTagLabel)});
    }
  }
  return all;
}

}  // namespace meshtrust::mesh
