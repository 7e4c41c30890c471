#include "run/trust_steps.h"

#include "base/text.h"
#include "ca/revocation.h"
#include "istio/acceptance.h"
#include "istio/bundle.h"
#include "istio/names.h"
#include "mesh/lists.h"
#include "mesh/strangers.h"
#include "profiles/reference.h"
#include "profiles/trust_objects.h"
#include "run/observe.h"
#include "run/secret_facts.h"
#include "run/writing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

using Files = std::map<std::string, const base::Secret*>;

Files pointers_to(const std::map<std::string, base::Secret>& files) {
  Files pointers;
  for (const auto& [name, content] : files) {
    pointers.emplace(name, &content);
  }
  return pointers;
}

/// The four files of a bundle, as the Secret holds them.
std::map<std::string, base::Secret> files_of(istio::Bundle bundle) {
  std::map<std::string, base::Secret> files;
  files.emplace(istio::kCaCertFile, base::Secret(bundle.certificates.ca_cert));
  files.emplace(istio::kCertChainFile, base::Secret(bundle.certificates.cert_chain));
  files.emplace(istio::kRootCertFile, base::Secret(bundle.certificates.root_cert));
  files.emplace(istio::kCaKeyFile, std::move(bundle.ca_key));
  return files;
}

/// The files of a bundle that stand in a live Secret, without the lists.
Files files_in(const k8s::SecretObject& secret) {
  Files files;
  for (const std::string_view name :
       {istio::kCaCertFile, istio::kCertChainFile, istio::kRootCertFile, istio::kCaKeyFile}) {
    const auto found = secret.data.find(std::string(name));
    if (found != secret.data.end()) files.emplace(name, &found->second);
  }
  return files;
}

/// Byte for byte. What others put beside it is theirs.
Status read_back(k8s::ApiClient& client, const k8s::ObjectRef& ref, const Files& wanted) {
  MESHTRUST_TRY(const auto live, client.get_secret(ref));
  if (!live) return base::fail(differs_from_what_was_written(ref));
  for (const auto& [name, content] : wanted) {
    const auto found = live->data.find(name);
    if (found == live->data.end() || !constant_time_equal(found->second, *content)) {
      return base::fail(differs_from_what_was_written(ref));
    }
  }
  return {};
}

}  // namespace

TrustSteps::TrustSteps(const profiles::Mesh& mesh,
                       const World& world,
                       const mesh::Plan& plan,
                       ca::TrustStore& store,
                       const ca::StoreLock& lock,
                       RootKeyAccess access)
    : mesh_(mesh),
      world_(world),
      plan_(plan),
      store_(store),
      lock_(lock),
      access_(std::move(access)) {}

Status TrustSteps::unlock() {
  if (!plan_.requires_root_key() || !store_.root()) return {};
  MESHTRUST_TRY(root_key_, ca::unlock_root(store_, access_.passphrase));
  access_.passphrase.clear();
  return {};
}

Outcome TrustSteps::mint_root(const mesh::MintRoot& wanted) {
  const auto protection = access_.clear_text
                              ? ca::KeyProtection::none()
                              : ca::KeyProtection::passphrase(access_.passphrase, access_.scrypt_p);
  auto minted = ca::mint_root(
      store_, lock_, {.subject = wanted.subject, .key = wanted.key, .lifetime = wanted.lifetime},
      protection, world_.who);
  if (!minted) return Failed{std::move(minted).error()};
  root_key_ = std::move(minted->signer);
  access_.passphrase.clear();
  return Done{.changed = true,
              .detail = "expires " + base::format_date(minted->root.certificate.facts().not_after)};
}

Outcome TrustSteps::push(const mesh::Step& step, const mesh::PushTrust& wanted) {
  const auto client = client_of(step);
  if (!client) return Failed{client.error()};
  MESHTRUST_CHECK(root_key_ != nullptr);
  auto minted = ca::mint_intermediate(
      store_, lock_, *root_key_,
      {.cluster = step.cluster, .key = wanted.key, .lifetime = wanted.lifetime}, world_.who);
  if (!minted) return Failed{std::move(minted).error()};
  auto key = minted->key.to_pem();
  if (!key) return Failed{std::move(key).error()};
  istio::Bundle bundle = istio::make_bundle(minted->chain, minted->roots, std::move(*key));
  if (auto status = istio::refuse_unless_good(bundle, world_.environment.clock.now()); !status) {
    return Failed{std::move(status).error()};
  }

  const std::string fingerprint = minted->certificate.fingerprint();
  const istio::PublicBundle certificates = bundle.certificates;
  const auto files = files_of(std::move(bundle));
  const k8s::ObjectRef ref = k8s::secret_ref(wanted.namespace_name, istio::kCaSecret);
  k8s::SecretContent content{.cluster_uid = plan_.server_of(step.cluster).cluster_uid};
  content.labels = labels_of(step);
  content.data = pointers_to(files);

  // Intent, push, pushed: whatever instant the process dies at, the ledger knows of the key.
  if (auto status = store_.record(lock_, ledger::Pushing{fingerprint}, world_.who, root_key_.get());
      !status) {
    return Failed{std::move(status).error()};
  }
  // From here on the cluster may have changed, whatever the answer says.
  if (auto created = create_planned(**client, ref, content); !created) {
    const bool untouched = created.error().code == Code::kConflict;
    return Failed{.why = std::move(created).error(), .changed = !untouched};
  }
  if (auto status = read_back(**client, ref, content.data); !status) {
    return Failed{.why = std::move(status).error(), .changed = true};
  }
  if (auto status = store_.record(lock_, ledger::Pushed{fingerprint}, world_.who, root_key_.get());
      !status) {
    return Failed{.why = std::move(status).error(), .changed = true};
  }
  {
    const std::lock_guard guard(mutex_);
    pushed_[step.id] = certificates;
  }
  return Done{.changed = true,
              .detail = "expires " + base::format_date(minted->certificate.facts().not_after)};
}

Outcome TrustSteps::make_lists(const mesh::MakeLists& wanted) {
  MESHTRUST_CHECK(root_key_ != nullptr);
  const auto set = ca::make_crls(store_, lock_, *root_key_,
                                 {.lifetime = wanted.lifetime, .supplied = {}}, world_.who);
  if (!set) return Failed{set.error()};
  return Done{.changed = true,
              .detail = "until " + base::format_date(*set->crls.front().facts().next_update)};
}

Outcome TrustSteps::push_lists(const mesh::Step& step, const mesh::PushLists& wanted) {
  const auto client = client_of(step);
  if (!client) return Failed{client.error()};
  const base::Instant now = world_.environment.clock.now();
  const auto set = ca::newest_crls(store_);
  if (!set) return Failed{set.error()};
  if (auto status = ledger::refuse_gaps(*set, now); !status) {
    return Failed{std::move(status).error()};
  }

  const k8s::ObjectRef ref = k8s::secret_ref(wanted.namespace_name, istio::kCaSecret);
  const auto live = (*client)->get_secret(ref);
  if (!live) return Failed{live.error()};
  if (!*live) {
    return Failed{Error{.code = Code::kConflict,
                        .message = ref.describe() + " is gone since the plan was made",
                        .hints = {"run the same command again"}}};
  }
  istio::PublicBundle certificates = public_bundle_in(**live);
  if (auto status = refuse_unless_ours(step, certificates); !status) {
    return Failed{std::move(status).error()};
  }
  certificates.ca_crl = pki::to_pem(set->crls);
  // A revoked CA is meant to be refused by its peers; what istiod itself stumbles over is not.
  const auto verdict = istio::judge_bundle({.bundle = certificates, .at = now});
  if (verdict.outcome != istio::LoadOutcome::kLoads) {
    return Failed{Error{.code = Code::kRefused,
                        .message = fmt::format("istiod {} with these lists in {}: {}",
                                               istio::name_of(verdict.outcome), ref.describe(),
                                               verdict.first_error()->message)}};
  }

  const base::Secret lists(certificates.ca_crl);
  k8s::SecretContent content{.cluster_uid = plan_.server_of(step.cluster).cluster_uid};
  content.labels = labels_of(step);
  content.data = files_in(**live);
  content.data.emplace(istio::kCaCrlFile, &lists);
  content.seen = (*live)->facts;
  if (auto applied = (*client)->apply_secret(ref, content); !applied) {
    return Failed{.why = std::move(applied).error(), .changed = true};
  }
  if (auto status = read_back(**client, ref, content.data); !status) {
    return Failed{.why = std::move(status).error(), .changed = true};
  }
  {
    const std::lock_guard guard(mutex_);
    pushed_[step.id] = certificates;
  }
  return Done{.changed = true, .detail = base::count_of(set->crls.size(), "list")};
}

Outcome TrustSteps::publish(const mesh::Step& step, const mesh::PublishTwin& wanted) {
  const auto client = client_of(step);
  if (!client) return Failed{client.error()};
  const auto certificates = wanted.certificates ? wanted.certificates : pushed_by(wanted.after);
  MESHTRUST_CHECK(certificates.has_value());
  const Json twin = profiles::resolve(profiles::twin_object(mesh_, cluster_of(step), *certificates),
                                      [this](const std::string&) { return root_mark(); });
  return apply_and_verify(**client, k8s::config_map_ref(wanted.namespace_name, istio::kPublicTwin),
                          twin);
}

Outcome TrustSteps::record_arrival(const mesh::RecordArrival& wanted) {
  auto status = store_.record(lock_,
                              ledger::Pushed{.fingerprint = wanted.fingerprint,
                                             .note = "seen in the cluster by a later run"},
                              world_.who, root_key_.get());
  if (!status) return Failed{std::move(status).error()};
  return Done{};
}

std::string TrustSteps::root_mark() const {
  const auto root = store_.root();
  return root ? istio::root_label_value(root->certificate.fingerprint()) : std::string();
}

std::map<std::string, std::string> TrustSteps::labels_of(const mesh::Step& step) const {
  return profiles::ownership_labels(mesh_, cluster_of(step), root_mark());
}

Result<k8s::ApiClient*> TrustSteps::client_of(const mesh::Step& step) const {
  return world_.clusters.client(step.cluster);
}

const profiles::Cluster& TrustSteps::cluster_of(const mesh::Step& step) const {
  const profiles::Cluster* cluster = mesh_.find(step.cluster);
  MESHTRUST_CHECK(cluster != nullptr);
  return *cluster;
}

Status TrustSteps::refuse_unless_ours(const mesh::Step& step,
                                      const istio::PublicBundle& live) const {
  const auto certificate = pki::certificates_from_pem(live.ca_cert);
  const auto entry = certificate ? store_.find(certificate->front().fingerprint()) : std::nullopt;
  if (entry && entry->cluster == step.cluster && holds_what_we_know(live)) return {};
  return base::fail(Code::kConflict,
                    fmt::format("{}: cacerts is another than when the plan was made", step.cluster),
                    "run the same command again to see whose it is");
}

bool TrustSteps::holds_what_we_know(const istio::PublicBundle& live) const {
  const mesh::StoreFacts store = facts_of(store_);
  const auto lists = pki::revocation_lists_from_pem(live.ca_crl);
  // Lists that no longer parse are about to be replaced.
  const bool is_newer = lists && !mesh::newer_lists(*lists, store, mesh::authorities_above(store),
                                                    world_.environment.clock.now())
                                      .empty();
  return !is_newer && mesh::strangers_in(live, store).empty();
}

std::optional<istio::PublicBundle> TrustSteps::pushed_by(const std::string& step) const {
  const std::lock_guard guard(mutex_);
  const auto found = pushed_.find(step);
  if (found == pushed_.end()) return std::nullopt;
  return found->second;
}

}  // namespace meshtrust::run
