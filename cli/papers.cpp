#include "cli/papers.h"

#include "base/text.h"
#include "istio/names.h"
#include "k8s/manifest.h"
#include "pki/pem.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

namespace meshtrust::cli {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Secret;
using base::Status;
using pki::InspectedObject;

constexpr std::size_t kLargestFile = std::size_t{16} << 20U;
constexpr int kDeepest = 8;
constexpr std::size_t kMostFiles = 10'000;
constexpr std::chrono::seconds kHandshake{10};

constexpr std::array<std::string_view, 6> kBundleFiles{istio::kCaCertFile,   istio::kCertChainFile,
                                                       istio::kRootCertFile, istio::kCaCrlFile,
                                                       istio::kTlsCertFile,  istio::kTlsRootFile};

enum class Empty { kIsAnError, kIsSkipped };

/// One run over all places.
class Reader {
 public:
  Reader(Session& session, const PaperOptions& options) : session_(session), options_(options) {}

  Papers read() {
    for (const std::string& place : options_.places) {
      if (place.starts_with(run::kTlsScheme)) {
        note(read_endpoint(place));
      } else if (place == "-") {
        note(read_standard_input());
      } else {
        read_path(place);
      }
    }
    return std::move(papers_);
  }

 private:
  base::Files& files() const { return session_.around.files; }

  void note(const Status& status) {
    if (!status) papers_.errors.push_back(status.error());
  }

  Status read_standard_input() {
    constexpr const char* kPath = "/dev/stdin";
    auto content = files().read_secret(kPath, kLargestFile);
    if (!content) {
      if (content.error().code == Code::kCancelled) return base::fail(content.error());
      base::Error error = with_context(std::move(content).error(), "standard input");
      error.code = Code::kInvalidInput;  // whatever the system says of it: nothing was given
      error.hints = {"name a file instead of -, or pipe one in"};
      return base::fail(std::move(error));
    }
    return read_text("standard input", *content, Empty::kIsAnError);
  }

  void read_path(const std::string& path) {
    // Behind a link, too: what is named is meant.
    const auto inside = files().facts(fs::path(path) / ".");
    if (!inside || inside->kind != base::FileKind::kFolder) {
      note(read_file(path, path, Empty::kIsAnError));
      return;
    }
    const std::size_t before = papers_.objects.size() + papers_.errors.size();
    read_folder(path, 0);
    if (papers_.objects.size() + papers_.errors.size() == before) note(nothing_in(path));
  }

  static Status nothing_in(const std::string& label) {
    return base::fail(
        Code::kInvalidInput,
        fmt::format("{}: found no certificate, private key, certificate request or revocation list",
                    label));
  }

  void read_folder(const fs::path& folder, int depth) {
    const auto names = files().list(folder);
    if (!names) {
      papers_.errors.push_back(names.error());
      return;
    }
    for (const std::string& name : *names) {
      if (name.starts_with('.')) continue;
      const fs::path path = folder / name;
      const auto facts = files().facts(path);
      const auto kind = facts ? facts->kind : base::FileKind::kOther;
      if (kind == base::FileKind::kFolder) {
        if (depth < kDeepest) {
          read_folder(path, depth + 1);
        } else {
          note(base::fail(Code::kInvalidInput,
                          fmt::format("'{}' lies too deep: more than {} folders down is not read",
                                      path.string(), kDeepest),
                          "name that folder itself"));
        }
      }
      // A mounted Secret shows its files as links.
      const bool is_file = kind == base::FileKind::kFile || kind == base::FileKind::kSymlink;
      if (is_file && ++seen_ <= kMostFiles) {
        note(read_file(path.string(), path.string(), Empty::kIsSkipped));
      }
    }
    if (depth == 0 && seen_ > kMostFiles) {
      note(base::fail(Code::kInvalidInput,
                      fmt::format("'{}' holds more than {} files", folder.string(), kMostFiles)));
    }
  }

  Status read_file(const std::string& path, const std::string& label, Empty empty) {
    MESHTRUST_TRY(const Secret content, files().read_secret(path, kLargestFile));
    return read_text(label, content, empty);
  }

  Status read_text(const std::string& label, const Secret& content, Empty empty) {
    MESHTRUST_TRY(const bool found_any, read_content(label, content));
    if (found_any) return {};
    if (empty == Empty::kIsSkipped) {
      papers_.skipped.push_back(label);
      return {};
    }
    return nothing_in(label);
  }

  /// Whether anything was found, be it damaged.
  Result<bool> read_content(const std::string& label, const Secret& content) {
    const std::size_t before = papers_.objects.size() + papers_.errors.size();
    MESHTRUST_TRY(const auto values, k8s::read_manifest(label, content));
    if (values) {
      for (const k8s::ManifestValue& value : *values) {
        add(fmt::format("{}: {}: {}", label, value.object, value.key), value.value);
      }
    } else {
      add(label, content);
    }
    return papers_.objects.size() + papers_.errors.size() > before;
  }

  void add(const std::string& label, const Secret& content) {
    if (std::ranges::any_of(kBundleFiles, [&](auto name) { return label.ends_with(name); })) {
      papers_.bundle_files.emplace(
          label, pki::public_part(reveal(content, "a file of a bundle: only its public blocks")));
    }
    const auto ask = [this](std::string_view what) { return passphrase_of(what); };
    auto found = pki::find_all_objects(label, content, ask, &session_.around.cancellation);
    std::ranges::move(found.objects, std::back_inserter(papers_.objects));
    std::ranges::move(found.errors, std::back_inserter(papers_.errors));
    std::ranges::move(found.remarks, std::back_inserter(papers_.remarks));
  }

  /// The same for all that need one: it is asked for once.
  Result<Secret> passphrase_of(std::string_view what) {
    if (!passphrase_) {
      MESHTRUST_TRY(passphrase_, find_passphrase_of(session_, options_.passphrase, what));
    }
    return passphrase_->clone();
  }

  Status read_endpoint(const std::string& address) {
    run::TlsQuestion question{
        .address = address,
        .server_name = options_.server_name,
        .protocols = {},
        .at_most = std::min(session_.timeout, std::chrono::milliseconds(kHandshake))};
    for (const std::string& name : base::split(options_.protocols, ',')) {
      if (name.size() > 255) return base::fail(Code::kUsage, "--alpn: a name is too long");
      if (!name.empty()) question.protocols.push_back(name);
    }
    MESHTRUST_TRY(run::TlsAnswer answer, session_.around.tls_endpoints.look(question));
    std::size_t number = 0;
    for (const base::Bytes& der : answer.chain) {
      const std::string label = ++number == 1 ? address : fmt::format("{}#{}", address, number);
      auto certificate = pki::Certificate::from_der(der);
      if (!certificate) return base::fail(with_context(std::move(certificate).error(), label));
      papers_.objects.push_back({label, *std::move(certificate)});
    }
    papers_.endpoints.push_back({.source = address, .answer = std::move(answer)});
    return {};
  }

  Session& session_;
  const PaperOptions& options_;
  Papers papers_;
  std::optional<Secret> passphrase_;
  std::size_t seen_ = 0;
};

}  // namespace

std::vector<pki::Certificate> Papers::certificates() const {
  std::vector<pki::Certificate> found;
  for (const InspectedObject& object : objects) {
    if (const auto* one = std::get_if<pki::Certificate>(&object.what)) found.push_back(*one);
  }
  return found;
}

std::string text_of(const pki::Remark& remark) {
  return fmt::format("{}: {}{}", remark.source, remark.message,
                     remark.way_out.empty() ? "" : fmt::format(" (mend it: {})", remark.way_out));
}

void PaperOptions::declare(CLI::App& app, Places needed) {
  app.add_option("FILE", places,
                 "files, folders, - for standard input, or tls://host:port of a server")
      ->required(needed == Places::kNeeded)
      ->option_text("FILE...");
  passphrase.declare_source(app, "PKCS#12 files");
  app.add_option("--sni", server_name, "server name to ask for (default the host of tls://)")
      ->option_text("NAME");
  app.add_option("--alpn", protocols, "protocols to offer, e.g. h2,istio")->option_text("LIST");
}

Papers read_papers(Session& session, const PaperOptions& options) {
  return Reader(session, options).read();
}

}  // namespace meshtrust::cli
