#pragma once

#include "base/json.h"

#include <nlohmann/json.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::test {

/// An answer of the fake server.
struct FakeReply {
  int status = 200;
  std::string body = {};
  std::string content_type = "application/json";
  std::map<std::string, std::string> headers = {};
};

FakeReply json_reply(int status, const base::Json& body);
/// A `Status` as the real server words it.
FakeReply failure_reply(int status,
                        std::string_view reason,
                        std::string_view message,
                        const base::Json& details = base::Json::object());

/// What a URL path below the cluster's prefix means.
struct FakePath {
  std::string api_version;
  std::string kind;
  std::string resource;
  std::string namespace_name;
  std::string name;

  std::string group() const;
};

/// What is served at "/api", "/apis", "/api/v1" and "/apis/GROUP/VERSION"; nothing elsewhere.
std::optional<FakeReply> fake_discovery(std::string_view path);

/// Nothing for what no resource is served at.
std::optional<FakePath> parse_fake_path(std::string_view path);

/// The objects of one cluster, with server-side apply by field as the real server does it: fields
/// have owners, a changed field of somebody else's conflicts, a field that its last owner leaves
/// out goes, and an apply that changes nothing keeps the resourceVersion. Not thread-safe.
class FakeObjects {
 public:
  explicit FakeObjects(std::string cluster);

  /// As if `manager` had created or replaced it; makes the namespace where it is missing.
  void put(std::string_view path, base::Json object, std::string_view manager);
  void remove(std::string_view path);
  /// As GET would answer; nothing when there is none.
  std::optional<base::Json> get(std::string_view path) const;
  std::vector<std::string> paths() const;

  FakeReply read(const FakePath& path, std::string_view label_selector) const;
  FakeReply create(const FakePath& path, const base::Json& body);
  FakeReply apply(
      const FakePath& path, base::Json body, const std::string& manager, bool force, bool dry_run);
  /// PUT: all that is not in `body` goes; refused when its resourceVersion is not the live one.
  FakeReply replace(const FakePath& path, const base::Json& body, const std::string& manager);
  /// A JSON patch (RFC 6902), as far as it is about who owns the fields.
  FakeReply change_owners(const FakePath& path, const base::Json& patch);
  /// With the preconditions of DeleteOptions; what has finalizers is only marked.
  FakeReply destroy(const FakePath& path, const base::Json& options);

 private:
  struct Entry {
    base::Json content;                                   ///< without server-kept metadata
    std::map<std::string, std::set<std::string>> owners;  ///< leaf (JSON pointer) to managers
    std::string uid;
    std::string created;
    std::uint64_t version = 0;
  };

  static std::string key_of(const FakePath& path);
  static base::Json conflicts(const Entry& entry,
                              const std::map<std::string, base::Json>& wanted,
                              const std::string& manager,
                              const std::string& api_version);
  static std::optional<FakeReply> refuse_other_than(const FakePath& path,
                                                    const base::Json& body,
                                                    const Entry* live);
  static void take_over(Entry& entry,
                        const std::map<std::string, base::Json>& wanted,
                        const std::string& manager,
                        bool force);
  bool has_namespace(const FakePath& path) const;
  Entry fresh(const FakePath& path);
  base::Json render(const Entry& entry) const;

  std::string cluster_;
  std::uint64_t version_ = 1;
  std::uint64_t uids_ = 0;
  std::map<std::string, Entry> entries_;
};

}  // namespace meshtrust::test
