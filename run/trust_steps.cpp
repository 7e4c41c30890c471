#include "run/trust_steps.h"

#include "istio/acceptance.h"
#include "istio/bundle.h"
#include "istio/names.h"
#include "profiles/trust_objects.h"
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

std::map<std::string, const base::Secret*> pointers_to(
    const std::map<std::string, base::Secret>& files) {
  std::map<std::string, const base::Secret*> pointers;
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

/// Byte for byte, all files and no other.
Status read_back(k8s::ApiClient& client,
                 const k8s::ObjectRef& ref,
                 const std::map<std::string, base::Secret>& wanted) {
  MESHTRUST_TRY(const auto live, client.get_secret(ref));
  if (!live || live->data.size() != wanted.size()) {
    return base::fail(differs_from_what_was_written(ref));
  }
  for (const auto& [name, content] : wanted) {
    const auto found = live->data.find(name);
    if (found == live->data.end() || !constant_time_equal(found->second, content)) {
      return base::fail(differs_from_what_was_written(ref));
    }
  }
  return {};
}

}  // namespace

TrustSteps::TrustSteps(const profiles::Mesh& mesh,
                       const World& world,
                       ca::TrustStore& store,
                       const ca::StoreLock& lock,
                       RootKeyAccess access)
    : mesh_(mesh), world_(world), store_(store), lock_(lock), access_(std::move(access)) {}

Status TrustSteps::unlock(const mesh::Plan& plan) {
  if (!plan.requires_root_key() || !store_.root()) return {};
  MESHTRUST_TRY(root_key_, ca::unlock_root(store_, access_.passphrase));
  access_.passphrase.clear();
  return {};
}

Outcome TrustSteps::mint_root(const mesh::MintRoot& wanted) {
  const auto protection = access_.clear_text ? ca::KeyProtection::none()
                                             : ca::KeyProtection::passphrase(access_.passphrase);
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
  k8s::SecretContent content;
  content.labels = profiles::ownership_labels(mesh_, cluster_of(step));
  content.data = pointers_to(files);

  // Another run with another store writes under the same name, so that the server would see no
  // conflict: what has appeared since the plan was made is never written over.
  const auto live = (*client)->get_metadata(ref);
  if (!live) return Failed{live.error()};
  if (*live) {
    return Failed{Error{.code = Code::kConflict,
                        .message = ref.describe() + " appeared after the plan was made",
                        .hints = {"run the same command again to see whose it is"}}};
  }

  // Intent, push, pushed: whatever instant the process dies at, the ledger knows of the key.
  if (auto status = store_.record(lock_, fingerprint, ca::Event::kPushing, world_.who); !status) {
    return Failed{std::move(status).error()};
  }
  // From here on the cluster may have changed, whatever the answer says.
  if (auto applied = (*client)->apply_secret(ref, content); !applied) {
    return Failed{.why = std::move(applied).error(), .changed = true};
  }
  if (auto status = read_back(**client, ref, files); !status) {
    return Failed{.why = std::move(status).error(), .changed = true};
  }
  if (auto status = store_.record(lock_, fingerprint, ca::Event::kPushed, world_.who); !status) {
    return Failed{.why = std::move(status).error(), .changed = true};
  }
  {
    const std::lock_guard guard(mutex_);
    pushed_[step.id] = certificates;
  }
  return Done{.changed = true,
              .detail = "expires " + base::format_date(minted->certificate.facts().not_after)};
}

Outcome TrustSteps::publish(const mesh::Step& step, const mesh::PublishTwin& wanted) {
  const auto client = client_of(step);
  if (!client) return Failed{client.error()};
  const auto certificates = wanted.certificates ? wanted.certificates : pushed_by(wanted.after);
  MESHTRUST_CHECK(certificates.has_value());
  return apply_and_verify(**client, k8s::config_map_ref(wanted.namespace_name, istio::kPublicTwin),
                          profiles::twin_object(mesh_, cluster_of(step), *certificates));
}

Outcome TrustSteps::record_arrival(const mesh::RecordArrival& wanted) {
  auto status = store_.record(lock_, wanted.fingerprint, ca::Event::kPushed, world_.who,
                              "seen in the cluster by a later run");
  if (!status) return Failed{std::move(status).error()};
  return Done{};
}

Result<k8s::ApiClient*> TrustSteps::client_of(const mesh::Step& step) const {
  return world_.clusters.client(step.cluster);
}

const profiles::Cluster& TrustSteps::cluster_of(const mesh::Step& step) const {
  const profiles::Cluster* cluster = mesh_.find(step.cluster);
  MESHTRUST_CHECK(cluster != nullptr);
  return *cluster;
}

std::optional<istio::PublicBundle> TrustSteps::pushed_by(const std::string& step) const {
  const std::lock_guard guard(mutex_);
  const auto found = pushed_.find(step);
  if (found == pushed_.end()) return std::nullopt;
  return found->second;
}

}  // namespace meshtrust::run
