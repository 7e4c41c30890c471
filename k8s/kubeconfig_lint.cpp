// What kubectl accepts silently and somebody regrets later: entries that nobody could use.

#include "base/text.h"
#include "k8s/kubeconfig.h"
#include "k8s/url.h"

#include <set>

namespace meshtrust::k8s {
namespace {

class Lint {
 public:
  explicit Lint(const KubeconfigContent& content) : content_(content) {}

  /// What is looked at already, with the cluster and the user it names.
  void leave_out(const std::string& context) {
    contexts_.insert(context);
    const auto found = content_.contexts.find(context);
    if (found == content_.contexts.end()) return;
    clusters_.insert(found->second.cluster);
    users_.insert(found->second.user);
  }

  std::vector<std::string> run() {
    const std::string& current = content_.current_context;
    if (!current.empty() && !content_.contexts.contains(current) && !contexts_.contains(current)) {
      out_.push_back("current-context '" + base::printable(current, 80) + "' names no context");
    }
    for (const auto& [name, context] : content_.contexts) {
      if (!contexts_.contains(name)) look_at(name, context);
    }
    for (const auto& [name, cluster] : content_.clusters) {
      if (!clusters_.contains(name)) look_at(name, cluster);
    }
    for (const auto& [name, user] : content_.users) {
      if (!users_.contains(name)) look_at(name, user);
    }
    return std::move(out_);
  }

 private:
  void add(std::string_view kind,
           const std::string& name,
           const Origin& origin,
           std::string_view what) {
    out_.push_back(std::string(kind) + " '" + base::printable(name, 80) + "' in " +
                   base::printable(origin.file) + ": " + std::string(what));
  }

  void look_at(const std::string& name, const ContextEntry& context) {
    if (context.cluster.empty()) {
      add("context", name, context.origin, "it names no cluster");
    } else if (!content_.clusters.contains(context.cluster)) {
      add("context", name, context.origin,
          "cluster '" + base::printable(context.cluster, 80) + "' is not in the kubeconfig");
    }
    if (!context.user.empty() && !content_.users.contains(context.user)) {
      add("context", name, context.origin,
          "user '" + base::printable(context.user, 80) + "' is not in the kubeconfig");
    }
  }

  void look_at(const std::string& name, const ClusterEntry& cluster) {
    if (cluster.server.empty()) {
      add("cluster", name, cluster.origin, "it has no 'server'");
    } else if (const auto url = parse_server_url(cluster.server); !url) {
      add("cluster", name, cluster.origin, url.error().message);
    }
    if (cluster.insecure_skip_tls_verify) {
      add("cluster", name, cluster.origin, "'insecure-skip-tls-verify' is set");
    }
  }

  void look_at(const std::string& name, const UserEntry& user) {
    if (user.client_certificate.is_set() && !user.client_key.is_set()) {
      add("user", name, user.origin, "'client-certificate' without 'client-key'");
    }
    if (!user.client_certificate.is_set() && user.client_key.is_set()) {
      add("user", name, user.origin, "'client-key' without 'client-certificate'");
    }
    if (user.auth_provider) {
      add("user", name, user.origin, "'auth-provider' is no longer supported");
    }
  }

  const KubeconfigContent& content_;
  std::set<std::string> contexts_;
  std::set<std::string> clusters_;
  std::set<std::string> users_;
  std::vector<std::string> out_;
};

}  // namespace

std::vector<std::string> Kubeconfig::odd_entries(std::span<const std::string> but_for) const {
  Lint lint(content_);
  for (const std::string& context : but_for) {
    lint.leave_out(context);
  }
  return lint.run();
}

}  // namespace meshtrust::k8s
