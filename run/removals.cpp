#include "run/removals.h"

#include "base/text.h"
#include "istio/names.h"
#include "k8s/wait.h"
#include "mesh/contents.h"
#include "mesh/objects.h"
#include "pki/certificate.h"
#include "run/namespace_contents.h"
#include "run/secret_facts.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>

namespace meshtrust::run {
namespace {

using base::Result;

/// How often the contents of a namespace are looked at before an error is believed.
constexpr int kMostLooks = 5;
/// How long one attempt watches what is being deleted; then the next one does.
constexpr std::chrono::seconds kWatching{5};

/// What keeps something that is being deleted.
struct Hold {
  std::vector<std::string> finalizers = {};  ///< of its own
  std::vector<std::string> left = {};        ///< in a namespace, in its server's words
};

/// Whether a condition of a namespace says why it is not gone yet.
bool is_of_deletion(const base::Json& condition) {
  const std::string type = base::string_at(condition, "type");
  return type.starts_with("NamespaceDeletion") || type == "NamespaceContentRemaining" ||
         type == "NamespaceFinalizersRemaining";
}

Hold hold_of(const base::Json& object, bool is_namespace) {
  Hold hold;
  for (const base::Json& one : mesh::list_at(object, {"metadata", "finalizers"})) {
    if (one.is_string()) hold.finalizers.push_back(base::printable(one.get<std::string>(), 80));
  }
  if (!is_namespace) return hold;
  for (const base::Json& one : mesh::list_at(object, {"status", "conditions"})) {
    if (base::string_at(one, "status") != "True" || !is_of_deletion(one)) continue;
    hold.left.push_back(base::printable(base::string_at(one, "message"), 400));
  }
  return hold;
}

std::vector<std::string> how_to_let_go(const std::string& context,
                                       const k8s::ObjectRef& ref,
                                       const Hold& hold) {
  const std::string kubectl = fmt::format("kubectl --context {}", context);
  if (ref.resource == "namespaces") {
    return {"what has finalizers waits for the controllers that set them: does each still run?",
            mesh::how_to_list(context, ref.name)};
  }
  const std::string in = ref.namespace_name.empty() ? "" : " -n " + ref.namespace_name;
  const std::string look =
      fmt::format("look with '{}{} get {} {} -o yaml'", kubectl, in, ref.resource, ref.name);
  if (hold.finalizers.empty()) return {look};
  return {fmt::format("whoever set the finalizer {} has to take it away: does its controller "
                      "still run?",
                      base::join(hold.finalizers, ", ")),
          look};
}

/// Done when what had `uid` is gone.
Outcome wait_until_gone(k8s::ApiClient& client,
                        const k8s::ObjectRef& ref,
                        const std::string& uid,
                        bool changed) {
  Hold hold;
  const k8s::Condition gone = [&uid, &hold, &ref](const k8s::Objects& objects) {
    const auto found = std::find_if(objects.begin(), objects.end(), [&uid](const auto& entry) {
      return mesh::uid_of(entry.second) == uid;
    });
    if (found == objects.end()) return k8s::Verdict{.holds = true, .seen = "gone"};
    hold = hold_of(found->second, ref.resource == "namespaces");
    return k8s::Verdict{.holds = false, .seen = "it is being deleted"};
  };
  const auto waited = k8s::wait_for(client, ref, gone, {.at_most = kWatching});
  if (waited) return Done{.changed = changed, .detail = {}};
  if (waited.error().code != base::Code::kNotYet) {
    return Failed{.why = waited.error(), .changed = changed};
  }
  std::vector<std::string> held_by = hold.left;
  if (!hold.finalizers.empty()) {
    held_by.push_back("it has the finalizer " + base::join(hold.finalizers, ", "));
  }
  return NotYet{.why = fmt::format("{} is being deleted{}{}", ref.describe(),
                                   held_by.empty() ? "" : ": ", base::join(held_by, "; ")),
                .wake = std::chrono::milliseconds{1},
                .changed = changed,
                .hints = how_to_let_go(client.settings().context, ref, hold)};
}

/// What a delete that failed may have done all the same.
bool may_be_deleted(k8s::ApiClient& client, const k8s::ObjectRef& ref, const std::string& uid) {
  const auto now = client.get_metadata(ref);
  return !now || !*now || (*now)->uid != uid || (*now)->is_being_deleted;
}

/// Whether the CA in a `cacerts` is the one that was planned to go, and in which version it was
/// read.
Result<std::optional<std::string>> version_of_same_ca(k8s::ApiClient& client,
                                                      const k8s::ObjectRef& ref,
                                                      const mesh::DoomedObject& wanted) {
  MESHTRUST_TRY(const auto secret, client.get_secret(ref));
  if (!secret || secret->facts.uid != wanted.uid) return std::optional<std::string>();
  const auto live = pki::certificates_from_pem(public_bundle_in(*secret).ca_cert);
  const bool is_same = live && live->front().fingerprint() == wanted.certificate;
  return is_same ? std::optional(secret->facts.resource_version) : std::nullopt;
}

/// Whether an owner among `doomed` takes it along, whenever it was made.
bool goes_with_owner(const k8s::SecretFacts& found, const std::vector<mesh::DoomedObject>& doomed) {
  return std::any_of(found.owners.begin(), found.owners.end(), [&doomed](const auto& owner) {
    return std::any_of(doomed.begin(), doomed.end(),
                       [&owner](const auto& one) { return one.uid == owner.uid; });
  });
}

}  // namespace

Result<std::optional<k8s::SecretFacts>> look_for(k8s::ApiClient& client,
                                                 const k8s::ObjectRef& ref) {
  auto found = client.get_metadata(ref);
  if (found) return found;
  // A kind that the server does not have has no objects. That takes a server that says so.
  const auto served = client.serves(ref);
  if (served && !*served) return std::optional<k8s::SecretFacts>();
  return found;
}

k8s::ObjectRef ref_of_doomed(const mesh::DoomedObject& object) {
  return {.api_version = object.api_version,
          .kind = object.kind,
          .resource = object.resource,
          .namespace_name = object.namespace_name,
          .name = object.name};
}

bool is_istios(const k8s::SecretFacts& found) {
  constexpr std::array kLabels{istio::kInstallerComponentLabel, istio::kMeshLabel,
                               istio::kRevisionLabel};
  const bool by_istiod = std::find(found.managers.begin(), found.managers.end(),
                                   istio::kIstiodManager) != found.managers.end();
  return by_istiod || std::any_of(kLabels.begin(), kLabels.end(), [&found](std::string_view label) {
           return found.labels.contains(std::string(label));
         });
}

Outcome remove_found(k8s::ApiClient& client,
                     const k8s::ObjectRef& ref,
                     const k8s::SecretFacts& found,
                     const std::string& version) {
  if (found.is_being_deleted) return wait_until_gone(client, ref, found.uid, false);
  const auto removed = client.remove(ref, {.uid = found.uid, .resource_version = version});
  if (!removed && removed.error().code == base::Code::kConflict) {
    // Changed or made anew between our look and our word: the next look tells which.
    return Retry{.why = removed.error()};
  }
  if (!removed) {
    return Failed{.why = removed.error(),
                  .changed = removed.error().code == base::Code::kUnavailable &&
                             may_be_deleted(client, ref, found.uid)};
  }
  const bool changed = removed->state != k8s::Removed::State::kWasAbsent;
  if (removed->state != k8s::Removed::State::kHeld && ref.resource != "namespaces") {
    return Done{.changed = changed, .detail = {}};
  }
  return wait_until_gone(client, ref, found.uid, changed);
}

bool Removals::take(Outcome outcome) {
  if (const auto* done = std::get_if<Done>(&outcome)) {
    gone_ += done->changed ? 1 : 0;
    return true;
  }
  const bool changed = gone_ > 0;
  if (auto* failed = std::get_if<Failed>(&outcome)) failed->changed |= changed;
  if (auto* not_yet = std::get_if<NotYet>(&outcome)) not_yet->changed |= changed;
  if (auto* retry = std::get_if<Retry>(&outcome)) retry->changed |= changed;
  interruption_ = std::move(outcome);
  return false;
}

Outcome Removals::outcome() && {
  if (interruption_) return *std::move(interruption_);
  if (!left_.empty()) {
    return Failed{.why = {.code = base::Code::kPartial,
                          .message = base::join(left_, "; "),
                          .hints = {"look at what it is now, and run the same command again to see "
                                    "the new plan"}},
                  .changed = gone_ > 0};
  }
  std::string detail = base::count_of(gone_, "object");
  if (!notes_.empty()) detail += ", left: " + base::join(notes_, ", ");
  return Done{.changed = gone_ > 0, .detail = std::move(detail)};
}

bool remove_planned(k8s::ApiClient& client,
                    const mesh::DoomedObject& wanted,
                    const std::vector<mesh::DoomedObject>& all,
                    Removals& removals) {
  const k8s::ObjectRef ref = ref_of_doomed(wanted);
  const auto found = look_for(client, ref);
  if (!found) return removals.take(Failed{found.error()});
  if (!*found) return true;
  const k8s::SecretFacts& live = **found;
  if (wanted.uid.empty() && !is_istios(live)) {
    removals.note(ref.describe());
    return true;
  }
  if (!wanted.uid.empty() && live.uid != wanted.uid) {
    // Controllers make anew what a doomed owner of it wants.
    if (!goes_with_owner(live, all)) {
      removals.leave(ref.describe() + " was made anew since the plan: left alone");
    }
    return true;
  }
  if (wanted.certificate.empty() || live.is_being_deleted) {
    return removals.take(remove_found(client, ref, live));
  }
  const auto version = version_of_same_ca(client, ref, wanted);
  if (!version) return removals.take(Failed{version.error()});
  if (!*version) {
    removals.leave(ref.describe() + " holds another CA since the plan: left alone");
    return true;
  }
  return removals.take(remove_found(client, ref, live, **version));
}

Result<std::vector<mesh::ContentFacts>> newcomers(k8s::ApiClient& client,
                                                  const mesh::DeleteNamespace& wanted) {
  auto contents = contents_of(client, wanted.object.name);
  // A CRD that was just deleted is listed for a moment more.
  for (int round = 1; round < kMostLooks && !contents; ++round) {
    if (contents.error().code != base::Code::kUnavailable) break;
    MESHTRUST_TRY_DO(client.pause().wait(std::chrono::seconds{1}));
    contents = contents_of(client, wanted.object.name);
  }
  if (!contents) return contents;
  auto others = mesh::kept_by_others(*contents, wanted.object.name, wanted.leaving);
  std::erase_if(others, [&wanted](const mesh::ContentFacts& one) {
    return std::any_of(wanted.of_others.begin(), wanted.of_others.end(),
                       [&one](const auto& known) { return known.uid == one.uid; });
  });
  return others;
}

}  // namespace meshtrust::run
