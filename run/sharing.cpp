#include "base/encoding.h"
#include "base/text.h"
#include "istio/names.h"
#include "mesh/ownership.h"
#include "profiles/reader.h"
#include "profiles/remote_secret.h"
#include "profiles/trust_objects.h"
#include "run/access_trial.h"
#include "run/mesh_steps.h"
#include "run/secret_facts.h"
#include "run/writing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <optional>
#include <utility>

// The step of `MeshSteps` that gives one cluster access to another. A token goes from the answer of
// one API server into a request to another and is in nothing but Secrets meanwhile.

namespace meshtrust::run {
namespace {

using base::Code;
using base::Result;
using std::chrono::milliseconds;

/// A token and the CA that goes with it, as Kubernetes put them into a Secret.
struct Token {
  base::Secret token;
  std::string ca_pem;
  mesh::Marks marks;
  bool is_filled = false;  ///< Kubernetes has put both into it
};

/// The Secret into which Kubernetes is to put a token, as this mesh makes it.
k8s::SecretContent empty_token(const profiles::Mesh& mesh,
                               const profiles::Cluster& source,
                               const std::string& account,
                               const std::string& root,
                               const std::string& cluster_uid) {
  const profiles::Object wanted = profiles::token_secret(mesh, source, account);
  const auto& metadata = wanted.body.at("metadata");
  return {.cluster_uid = cluster_uid,
          .labels = profiles::ownership_labels(mesh, source, root),
          .annotations = metadata.at("annotations").get<std::map<std::string, std::string>>(),
          .type = std::string(istio::kServiceAccountTokenType),
          .data = {}};
}

/// Asks for a token where nobody has. Several steps share it, and another may have been faster.
base::Status ask_for_token(k8s::ApiClient& client,
                           const k8s::ObjectRef& ref,
                           const k8s::SecretContent& content) {
  const auto created = client.create_secret(ref, content);
  if (created || created.error().code == Code::kConflict) return {};
  return base::fail(created.error());
}

/// Also what an earlier version marked with the name alone.
bool is_ours(const mesh::OwnerJudge& owners,
             const mesh::ClusterObservation& cluster,
             const mesh::Marks& marks) {
  const mesh::Owner owner = owners.owner_of(marks, cluster);
  return owner == mesh::Owner::kThisMesh ||
         (owner == mesh::Owner::kUndecided && marks.root.empty());
}

/// Whether a token secret is to bear `root` and does not. One that somebody else made is used, and
/// stays as it is.
bool lacks_root(const mesh::OwnerJudge& owners,
                const mesh::ClusterObservation& source,
                const mesh::Marks& marks,
                const std::string& root) {
  return is_ours(owners, source, marks) && !root.empty() && marks.root != root;
}

/// The token as it stands, whosever it is; nothing where nobody has asked for one.
Result<std::optional<Token>> read_token(k8s::ApiClient& client, const k8s::ObjectRef& ref) {
  MESHTRUST_TRY(auto secret, client.get_secret(ref));
  if (!secret) return std::optional<Token>();
  const mesh::Marks marks = mesh::marks_in(base::Json(secret->facts.labels));
  const auto token = secret->data.find("token");
  const auto ca = secret->data.find("ca.crt");
  if (token == secret->data.end() || ca == secret->data.end() || token->second.empty() ||
      ca->second.empty()) {
    return std::optional(Token{.token = {}, .ca_pem = {}, .marks = marks});
  }
  return std::optional(Token{.token = std::move(token->second),
                             .ca_pem = std::string(reveal(ca->second, "a public CA")),
                             .marks = marks,
                             .is_filled = true});
}

/// The same, asked for first where nobody has.
Result<std::optional<Token>> read_or_ask(k8s::ApiClient& client,
                                         const k8s::ObjectRef& ref,
                                         const k8s::SecretContent& asking) {
  auto token = read_token(client, ref);
  if (!token || *token) return token;
  MESHTRUST_TRY_DO(ask_for_token(client, ref, asking));
  return read_token(client, ref);
}

/// What the plan found there, of this mesh, as it is now.
Result<k8s::Applied> change_ours(const mesh::OwnerJudge& owners,
                                 const mesh::ClusterObservation& cluster,
                                 k8s::ApiClient& client,
                                 const k8s::ObjectRef& ref,
                                 k8s::SecretContent content) {
  MESHTRUST_TRY(content.seen, client.get_metadata(ref));
  if (content.seen && is_ours(owners, cluster, mesh::marks_in(base::Json(content.seen->labels)))) {
    return client.apply_secret(ref, content);
  }
  return base::fail(Code::kConflict,
                    ref.describe() + (content.seen ? " is not of this mesh any more"
                                                   : " is gone since the plan was made"),
                    "run the same command again");
}

/// Tries `offered` as the istiod that gets it will. Where its CA, which the cluster has of its own,
/// does not verify the server at the address of the kubeconfig, there is something with another
/// certificate in front of it: then the CA that this program verifies it by is taken instead.
Result<mesh::AccessTrial> try_offered(k8s::ApiClient& source,
                                      bool is_own_address,
                                      const AccessWish& wish,
                                      RemoteKubeconfig& offered) {
  MESHTRUST_TRY(mesh::AccessTrial trial, try_access(source.effects(), offered, wish));
  const std::string& front = source.settings().certificate_authority;
  if (trial.result != mesh::AccessTrial::Result::kUntrusted || !is_own_address || front.empty()) {
    return trial;
  }
  std::string own = std::exchange(offered.ca_pem, front);
  MESHTRUST_TRY(mesh::AccessTrial again, try_access(source.effects(), offered, wish));
  const bool verifies = again.result != mesh::AccessTrial::Result::kUntrusted &&
                        again.result != mesh::AccessTrial::Result::kNotTried;
  if (verifies) return again;
  offered.ca_pem = std::move(own);
  return trial;
}

/// Why it is not written, or not yet; nothing where it works, or cannot be tried from here.
class Objection {
 public:
  Objection(const profiles::Mesh& mesh, const mesh::ShareAccess& wanted)
      : mesh_(mesh), wanted_(wanted) {}

  std::optional<Outcome> to(const mesh::AccessTrial& trial) const {
    using Kind = mesh::AccessTrial::Result;
    switch (trial.result) {
      case Kind::kNotTried:
        return std::nullopt;
      case Kind::kWorks:
        if (trial.missing.empty()) return std::nullopt;
        return lacks_rights(trial);
      case Kind::kRefused:
        return refused(trial);
      default:
        return useless(trial);
    }
  }

 private:
  const profiles::Cluster& source() const { return *mesh_.find(wanted_.intent.source); }

  Outcome lacks_rights(const mesh::AccessTrial& trial) const {
    return NotYet{
        .why = fmt::format("{} does not have all rights in {} yet: {}", trial.username,
                           source().name, base::join(trial.missing, ", ")),
        .wake = milliseconds{500},
        .hints = {fmt::format("'kubectl --context {0} describe clusterrole {1}' and '... describe "
                              "clusterrolebinding {1}' show what gives them",
                              source().context, profiles::name_of_reader_role(mesh_, source()))}};
  }

  /// A token may be taken a moment after it was made, and never where its signer was replaced.
  Outcome refused(const mesh::AccessTrial& trial) const {
    return Retry{
        .why = {
            .code = Code::kPermission,
            .message = fmt::format("the API server of {} does not take the token of its reader: "
                                   "{}",
                                   source().name, trial.why),
            .hints = {fmt::format("'kubectl --context {} -n {} delete secret {}', then the same "
                                  "command: it asks for a new token",
                                  source().context, wanted_.namespace_name,
                                  istio::token_secret_name(wanted_.account))}}};
  }

  Outcome useless(const mesh::AccessTrial& trial) const {
    return Failed{
        .why = {
            .code = Code::kRefused,
            .message = fmt::format("the istiod of {} could not use what it is to be given for "
                                   "{}: {}",
                                   wanted_.intent.target, source().name, trial.why),
            .hints = {fmt::format("its address is {}: write the one at which istiods reach the "
                                  "API server of {} with its own certificate as its 'apiServer'",
                                  wanted_.server, source().name)}}};
  }

  const profiles::Mesh& mesh_;
  const mesh::ShareAccess& wanted_;
};

Result<base::Secret> kubeconfig_of(const std::string& cluster, const RemoteKubeconfig& offered) {
  const std::string& name = offered.tls_server_name;
  return profiles::kubeconfig_text(
      {.cluster = cluster,
       .server = offered.server,
       .ca_pem = offered.ca_pem,
       .token = offered.token.clone(),
       .tls_server_name = name.empty() ? std::nullopt : std::optional(name)});
}

/// What came of marking a token as this mesh's; nothing where it is, or is now.
std::optional<Outcome> failure_to_mark(const base::Result<k8s::Applied>& marked,
                                       const std::string& cluster) {
  if (marked) return std::nullopt;
  // Of the steps that share it another may have been faster.
  if (marked.error().code == Code::kConflict) {
    return Retry{.why = with_context(marked.error(), cluster)};
  }
  return Failed{.why = with_context(marked.error(), cluster), .changed = true};
}

std::string detail_of(const k8s::Applied& applied, const mesh::AccessTrial& trial) {
  std::string detail = applied.created ? "created" : "changed";
  if (trial.result == mesh::AccessTrial::Result::kNotTried) detail += ", not tried: " + trial.why;
  return detail;
}

}  // namespace

Outcome MeshSteps::share(const mesh::Step& step, const mesh::ShareAccess& wanted) {
  const profiles::RemoteSecretIntent& intent = wanted.intent;
  const auto target = world_.clusters.client(intent.target);
  const auto source = world_.clusters.client(intent.source);
  if (!target) return Failed{target.error()};
  if (!source) return Failed{source.error()};

  const std::string& account = wanted.account;
  const k8s::ObjectRef account_ref{.api_version = "v1",
                                   .kind = "ServiceAccount",
                                   .resource = "serviceaccounts",
                                   .namespace_name = wanted.namespace_name,
                                   .name = account};
  const auto exists = (*source)->get(account_ref);
  if (!exists) return Failed{with_context(exists.error(), intent.source)};
  if (!*exists) {
    return NotYet{.why = fmt::format("{} has no {}", intent.source, account_ref.describe()),
                  .hints = {"the installer makes it: if somebody took it away, 'meshtrust apply' "
                            "installs anew"}};
  }
  const k8s::ObjectRef token_ref =
      k8s::secret_ref(wanted.namespace_name, istio::token_secret_name(account));
  const std::string root = root_mark();
  const k8s::SecretContent asking =
      empty_token(mesh_, cluster_of(intent.source), account, root, uid_of(intent.source));
  auto token = read_or_ask(**source, token_ref, asking);
  if (!token) return Failed{with_context(std::move(token).error(), intent.source)};
  if (!*token || !(**token).is_filled) {
    return NotYet{.why = fmt::format("{} has not put a token into {} yet", intent.source,
                                     token_ref.describe()),
                  .wake = milliseconds{200},
                  .hints = {"the token controller of kube-controller-manager does that: does it "
                            "run in that cluster?",
                            fmt::format("look with 'kubectl --context {} -n {} describe secret {}'",
                                        cluster_of(intent.source).context, wanted.namespace_name,
                                        token_ref.name)}};
  }

  const mesh::ClusterObservation* seen = observation_.find(intent.source);
  const mesh::OwnerJudge owners(mesh_, observation_);
  if (seen != nullptr && lacks_root(owners, *seen, (**token).marks, root)) {
    const auto marked = change_ours(owners, *seen, **source, token_ref, asking);
    if (auto failure = failure_to_mark(marked, intent.source)) return *std::move(failure);
  }

  const std::string& tls_server_name = (*source)->settings().tls_server_name;
  const bool own_address = wanted.server == (*source)->settings().server.text();
  RemoteKubeconfig offered{.server = wanted.server,
                           .tls_server_name = own_address ? tls_server_name : std::string(),
                           .ca_pem = std::move((**token).ca_pem),
                           .token = std::move((**token).token)};
  const auto trial =
      try_offered(**source, own_address, wish_for(mesh_, observation_, intent), offered);
  if (!trial) return Failed{trial.error()};
  if (auto objection = Objection(mesh_, wanted).to(*trial)) return *std::move(objection);
  const auto kubeconfig = kubeconfig_of(intent.source, offered);
  if (!kubeconfig) return Failed{kubeconfig.error()};
  const profiles::RemoteSecret secret = profiles::remote_secret(mesh_, intent, root);
  const k8s::ObjectRef ref = k8s::secret_ref(secret.namespace_name, secret.name);
  const k8s::SecretContent content{.cluster_uid = uid_of(step.cluster),
                                   .labels = secret.labels,
                                   .annotations = secret.annotations,
                                   .data = {{secret.key, &*kubeconfig}}};
  const mesh::ClusterObservation* there = observation_.find(step.cluster);
  MESHTRUST_CHECK(there != nullptr);
  const auto applied = step.change == mesh::Change::kAdd
                           ? create_planned(**target, ref, content)
                           : change_ours(owners, *there, **target, ref, content);
  if (!applied) {
    const bool untouched = applied.error().code == Code::kConflict;
    base::Error why = with_context(applied.error(), step.cluster);
    if (untouched && step.change != mesh::Change::kAdd) {
      why = with_hint(std::move(why),
                      fmt::format("or give it up with 'kubectl --context {} -n {} delete secret "
                                  "{}', then the same command makes it anew",
                                  cluster_of(step.cluster).context, ref.namespace_name, ref.name));
    }
    return Failed{.why = std::move(why), .changed = !untouched};
  }
  const auto live = (*target)->get_secret(ref);
  if (!live) return Failed{.why = with_context(live.error(), step.cluster), .changed = true};
  const bool holds = *live && (**live).data.contains(secret.key) &&
                     constant_time_equal((**live).data.at(secret.key), *kubeconfig);
  if (!holds) return Failed{.why = differs_from_what_was_written(ref), .changed = true};
  return Done{.changed = true, .detail = detail_of(*applied, *trial)};
}

}  // namespace meshtrust::run
