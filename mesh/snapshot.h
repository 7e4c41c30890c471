#pragma once

#include "base/json.h"
#include "mesh/observation.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <string>
#include <type_traits>
#include <vector>

// How observations are written and read; for observation.cpp and live_json.cpp alone. One pair of
// functions a type: what is written is what is read.

namespace meshtrust::mesh::snapshot {

using base::Json;

/// Ends in `observation_from_json`: reading a snapshot is all or nothing.
struct Malformed {
  std::string what;
};

inline const Json& field(const Json& object, const char* name) {
  if (!object.is_object() || !object.contains(name)) {
    throw Malformed{fmt::format("'{}' is missing", name)};
  }
  return object.at(name);
}

template <class T>
T value(const Json& object, const char* name) {
  try {
    return field(object, name).get<T>();
  } catch (const Json::exception&) {
    throw Malformed{fmt::format("'{}' is of the wrong type", name)};
  }
}

/// A text that snapshots of earlier versions lack; empty there.
inline std::string later_value(const Json& object, const char* name) {
  return object.contains(name) ? value<std::string>(object, name) : std::string();
}

inline base::Instant instant(const Json& object, const char* name) {
  const auto time = base::parse_rfc3339(value<std::string>(object, name));
  if (!time) throw Malformed{fmt::format("'{}': {}", name, time.error().message)};
  return *time;
}

inline Json write(const std::string& text) {
  return text;
}
inline void read(const Json& json, std::string& text) {
  if (!json.is_string()) throw Malformed{"a text is of the wrong type"};
  text = json.get<std::string>();
}
inline Json write(const Json& json) {
  return json;
}
inline void read(const Json& json, Json& into) {
  into = json;
}

// All of them stand before the templates, which look them up by name.
Json write(const AccessTrial& trial);
void read(const Json& json, AccessTrial& trial);
Json write(const RemoteCluster& cluster);
void read(const Json& json, RemoteCluster& cluster);
Json write(const RemoteSecretFacts& secret);
void read(const Json& json, RemoteSecretFacts& secret);
Json write(const TokenSecretFacts& secret);
void read(const Json& json, TokenSecretFacts& secret);
Json write(const ContentFacts& object);
void read(const Json& json, ContentFacts& object);
Json write(const ContentFacts::Owner& owner);
void read(const Json& json, ContentFacts::Owner& owner);
Json write(const IstiodView::Cluster& cluster);
void read(const Json& json, IstiodView::Cluster& cluster);
Json write(const IstiodView::Gateway& gateway);
void read(const Json& json, IstiodView::Gateway& gateway);
Json write(const IstiodView& view);
void read(const Json& json, IstiodView& view);
Json write(const istio::Credential& credential);
void read(const Json& json, istio::Credential& credential);
Json write(const WorkloadPod& pod);
void read(const Json& json, WorkloadPod& pod);
Json write(const WorkloadFacts& facts);
void read(const Json& json, WorkloadFacts& facts);
Json write(const LiveMesh& live);
void read(const Json& json, LiveMesh& live);
Json write(const istio::PublicBundle& bundle);
void read(const Json& json, istio::PublicBundle& bundle);
Json write(const ServerFacts& server);
void read(const Json& json, ServerFacts& server);
Json write(const NamespaceFacts& facts);
void read(const Json& json, NamespaceFacts& facts);
Json write(const CacertsFacts& facts);
void read(const Json& json, CacertsFacts& facts);
Json write(const TwinFacts& twin);
void read(const Json& json, TwinFacts& twin);
Json write(const IstiodFacts& istiod);
void read(const Json& json, IstiodFacts& istiod);
Json write(const CaVolume& ca);
void read(const Json& json, CaVolume& ca);
Json write(const IssuedFacts& issued);
void read(const Json& json, IssuedFacts& issued);
Json write(const ClusterObservation& cluster);
void read(const Json& json, ClusterObservation& cluster);
Json write(const StoreFacts& store);
void read(const Json& json, StoreFacts& store);

template <class T>
Json write(const std::vector<T>& items) {
  Json json = Json::array();
  for (const T& item : items) {
    json.push_back(write(item));
  }
  return json;
}
template <class T>
void read(const Json& json, std::vector<T>& items) {
  if (!json.is_array()) throw Malformed{"a list is of the wrong type"};
  for (const Json& item : json) {
    read(item, items.emplace_back());
  }
}

template <class T>
Json write(const Observed<T>& observed) {
  if (const T* found = observed.found(Unknown::kTold)) return {{"found", write(*found)}};
  if (observed.is_absent()) return "absent";
  const base::Error& why = *observed.why_unknown();
  return {{"unknown",
           {{"code", base::name_of(why.code)}, {"message", why.message}, {"hints", why.hints}}}};
}
template <class T>
void read(const Json& json, Observed<T>& observed) {
  if (json.is_string() && json == "absent") {
    observed = Absent{};
  } else if (json.is_object() && json.contains("found")) {
    T found{};
    read(json.at("found"), found);
    observed = std::move(found);
  } else {
    const Json& why = field(json, "unknown");
    observed = Observed<T>::unknown({.code = base::code_from_name(value<std::string>(why, "code")),
                                     .message = value<std::string>(why, "message"),
                                     .hints = value<std::vector<std::string>>(why, "hints")});
  }
}

}  // namespace meshtrust::mesh::snapshot
