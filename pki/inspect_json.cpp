#include "pki/inspect.h"

#include <nlohmann/json.hpp>

#include <array>

namespace meshtrust::pki {
namespace {

using base::Json;

template <class Value>
void put_if(Json& json, const char* key, const std::optional<Value>& value) {
  if (value) json[key] = *value;
}

void put_if_any(Json& json, const char* key, const std::vector<std::string>& list) {
  if (!list.empty()) json[key] = list;
}

/// Requests and certificates name the same things in the same way.
template <class Facts>
void put_alternative_names(Json& json, const Facts& facts) {
  put_if_any(json, "dnsNames", facts.dns_names);
  put_if_any(json, "uris", facts.uris);
  put_if_any(json, "ipAddresses", facts.ip_addresses);
  put_if_any(json, "emails", facts.emails);
}

Json json_of(const Certificate& certificate) {
  const CertificateFacts& facts = certificate.facts();
  Json json = {{"version", facts.version},
               {"serial", facts.serial},
               {"subject", facts.subject},
               {"issuer", facts.issuer},
               {"notBefore", base::format_rfc3339(facts.not_before)},
               {"notAfter", base::format_rfc3339(facts.not_after)},
               {"keyType", facts.key_type},
               {"keyId", facts.key_id},
               {"signatureAlgorithm", facts.signature_algorithm},
               {"selfIssued", certificate.is_self_issued()},
               {"selfSigned", certificate.is_self_signed()},
               {"isCA", certificate.is_ca()},
               {"hasNameConstraints", facts.has_name_constraints},
               {"fingerprint", facts.fingerprint}};
  if (facts.basic_constraints) {
    Json& constraints = json["basicConstraints"];
    constraints = {{"critical", facts.basic_constraints->critical},
                   {"isCA", facts.basic_constraints->is_ca}};
    put_if(constraints, "pathLength", facts.basic_constraints->path_length);
  }
  if (facts.key_usage) {
    json["keyUsage"] = {{"critical", facts.key_usage->critical}, {"bits", facts.key_usage->bits}};
  }
  put_if_any(json, "extendedKeyUsage", facts.extended_key_usage);
  put_if(json, "subjectKeyId", facts.subject_key_id);
  put_if(json, "authorityKeyId", facts.authority_key_id);
  put_alternative_names(json, facts);
  put_if_any(json, "unknownCriticalExtensions", facts.unknown_critical_extensions);
  return json;
}

Json json_of(const PrivateKeyFacts& facts) {
  Json json = {{"encoding", facts.encoding}, {"encrypted", facts.encrypted}};
  if (!facts.key_type.empty()) json["keyType"] = facts.key_type;
  return json;
}

Json json_of(const CertificateRequest& request) {
  const CertificateRequestFacts& facts = request.facts();
  Json json = {{"subject", facts.subject},
               {"keyType", facts.key_type},
               {"keyId", facts.key_id},
               {"signatureAlgorithm", facts.signature_algorithm},
               {"signatureValid", facts.signature_valid},
               {"fingerprint", facts.fingerprint}};
  put_alternative_names(json, facts);
  put_if_any(json, "requestedExtensions", facts.extensions);
  return json;
}

Json json_of(const RevocationList& list) {
  const RevocationListFacts& facts = list.facts();
  Json json = {{"issuer", facts.issuer},
               {"thisUpdate", base::format_rfc3339(facts.this_update)},
               {"signatureAlgorithm", facts.signature_algorithm},
               {"revokedCount", facts.revoked.size()},
               {"fingerprint", facts.fingerprint}};
  if (facts.next_update) json["nextUpdate"] = base::format_rfc3339(*facts.next_update);
  put_if(json, "number", facts.number);
  put_if(json, "authorityKeyId", facts.authority_key_id);
  if (facts.is_delta) json["isDelta"] = true;
  if (facts.is_partial) json["isPartial"] = true;
  for (const RevokedCertificate& entry : facts.revoked) {
    json["revoked"].push_back(entry.serial);
  }
  return json;
}

}  // namespace

std::string_view kind_of(const InspectedObject& object) {
  // In the order of the variant.
  constexpr std::array<std::string_view, 4> kKinds{
      "Certificate", "PrivateKey", "CertificateRequest", "CertificateRevocationList"};
  return kKinds.at(object.what.index());
}

base::Json to_json(const InspectedObject& object) {
  Json json = std::visit([](const auto& what) { return json_of(what); }, object.what);
  json["kind"] = kind_of(object);
  json["source"] = object.source;
  return json;
}

}  // namespace meshtrust::pki
