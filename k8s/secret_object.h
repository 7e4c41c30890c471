#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

/// What may be known about a Secret by anybody.
struct SecretFacts {
  std::string name = {};
  std::string namespace_name = {};
  std::string uid = {};
  std::string resource_version = {};
  std::string created = {};  ///< RFC 3339
  std::map<std::string, std::string> labels = {};
  /// `kubectl.kubernetes.io/last-applied-configuration` holds a copy of the data: its value is
  /// blanked here, its presence shows.
  std::map<std::string, std::string> annotations = {};
  std::vector<std::string> managers = {};  ///< of metadata.managedFields, each once
  /// By key of `data`, who else than this program owns the value.
  std::map<std::string, std::string> writers = {};
  /// metadata.managedFields as JSON where our manager has fields by creating (operation Update), or
  /// "": a later apply would find them owned by another, see `fields_by_apply`.
  std::string fields_by_create = {};
  std::vector<std::string> finalizers = {};
  struct Owner {
    std::string kind = {};
    std::string uid = {};
  };
  std::vector<Owner> owners = {};  ///< of metadata.ownerReferences
  bool is_being_deleted = false;   ///< has a deletionTimestamp
  std::string type = {};           ///< "" when only the metadata was asked for
  bool immutable = false;
};

/// A Secret with its values, decoded.
struct SecretObject {
  SecretFacts facts;
  std::map<std::string, base::Secret> data = {};
};

/// The metadata of any object, or of an element of a list.
SecretFacts facts_of(const base::Json& object);

/// Reads a Secret (or the PartialObjectMetadata of one) from an answer. The values of `data` and
/// `stringData` and every copy that annotations hold are cut out of `answer`, and blanked in it,
/// before a JSON library sees the rest. kUnavailable for an answer that breaks off or is something
/// else; the message never quotes it.
base::Result<SecretObject> parse_secret(base::Secret answer);

/// What to write into a Secret: the whole of it.
struct SecretContent {
  /// Required where there is `data`: the UID of the namespace kube-system of the cluster that it is
  /// meant for. No other gets it, whatever answers at the address.
  std::string cluster_uid = {};
  std::map<std::string, std::string> labels = {};
  std::map<std::string, std::string> annotations = {};
  std::string type = "Opaque";
  std::map<std::string, const base::Secret*> data = {};
  /// The object that an apply is to change, as it was seen: kConflict if it is another by now, or
  /// is gone, or has another version.
  std::optional<SecretFacts> seen = {};
};

/// `managed_fields` (JSON) with what our manager owns by creating as owned by applying, or "" where
/// it is no such list. A server keeps the two apart as if they were two managers, so that an apply
/// could neither change nor remove what a create has set.
std::string fields_by_apply(const std::string& managed_fields);

/// The body of an apply. The encoded values exist nowhere but in the result.
/// `version` is that of the object to change, "" for any.
base::Secret secret_manifest(std::string_view namespace_name,
                             std::string_view name,
                             const SecretContent& content,
                             std::string_view version = {});

/// Overwrites with "*" whatever could be encoded key material in a server's words: long runs of
/// base64. Old servers quote the request body in their complaints.
void blank_base64_runs(base::Secret& text);

}  // namespace meshtrust::k8s
