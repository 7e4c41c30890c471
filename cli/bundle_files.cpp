#include "cli/bundle_files.h"

#include "istio/names.h"

#include <fmt/format.h>

namespace meshtrust::cli {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;

constexpr std::size_t kLargest = 1U << 20U;

/// The content; nothing when there is no such file.
template <class Read>
auto if_there(Read read) -> Result<std::optional<std::decay_t<decltype(*read())>>> {
  using Content = std::optional<std::decay_t<decltype(*read())>>;
  auto content = read();
  if (content) return Content(*std::move(content));
  if (content.error().code == Code::kNotFound) return Content();
  return base::fail(std::move(content).error());
}

class Reader {
 public:
  Reader(base::Files& files, BundleFiles& found) : files_(files), found_(found) {}

  Result<std::string> text(const fs::path& path) {
    MESHTRUST_TRY(auto content, if_there([&] { return files_.read(path, kLargest); }));
    if (content) return *std::move(content);
    found_.missing.push_back(path.filename().string());
    return std::string();
  }
  Result<base::Secret> secret(const fs::path& path) {
    MESHTRUST_TRY(auto content, if_there([&] { return files_.read_secret(path, kLargest); }));
    if (content) return *std::move(content);
    found_.missing.push_back(path.filename().string());
    return base::Secret();
  }

 private:
  base::Files& files_;
  BundleFiles& found_;
};

}  // namespace

Result<BundlePaths> bundle_in(base::Files& files, const fs::path& folder) {
  MESHTRUST_TRY(const base::FileFacts facts, files.facts(folder));
  if (facts.kind == base::FileKind::kAbsent || facts.kind == base::FileKind::kFile) {
    return base::fail(Code::kInvalidInput, fmt::format("'{}' is no folder", folder.string()),
                      "name the folder that holds ca-cert.pem and its neighbours");
  }
  MESHTRUST_TRY(const base::FileFacts tls, files.facts(folder / istio::kTlsCertFile));
  if (tls.kind == base::FileKind::kAbsent) {
    return BundlePaths{.name = folder.string(),
                       .ca_cert = folder / istio::kCaCertFile,
                       .ca_key = folder / istio::kCaKeyFile,
                       .cert_chain = folder / istio::kCertChainFile,
                       .root_cert = folder / istio::kRootCertFile,
                       .ca_crl = folder / istio::kCaCrlFile};
  }
  return BundlePaths{.name = folder.string(),
                     .form = istio::BundleForm::kTls,
                     .ca_cert = folder / istio::kTlsCertFile,
                     .ca_key = folder / istio::kTlsKeyFile,
                     .cert_chain = {},
                     .root_cert = folder / istio::kTlsRootFile,
                     .ca_crl = folder / istio::kCaCrlFile};
}

Result<BundleFiles> read_bundle(base::Files& files, const BundlePaths& paths) {
  BundleFiles found{.bundle = {}, .form = paths.form, .missing = {}};
  Reader reader(files, found);
  istio::PublicBundle& open = found.bundle.certificates;
  MESHTRUST_TRY(open.ca_cert, reader.text(paths.ca_cert));
  MESHTRUST_TRY(open.root_cert, reader.text(paths.root_cert));
  if (paths.form == istio::BundleForm::kTls) {
    open.cert_chain = open.ca_cert + open.root_cert;  // joined as istiod does, without a newline
  } else {
    MESHTRUST_TRY(open.cert_chain, reader.text(paths.cert_chain));
  }
  MESHTRUST_TRY(found.bundle.ca_key, reader.secret(paths.ca_key));
  if (!paths.ca_crl.empty()) {
    MESHTRUST_TRY(const auto crl, if_there([&] { return files.read(paths.ca_crl, kLargest); }));
    open.ca_crl = crl.value_or("");
  }
  return found;
}

}  // namespace meshtrust::cli
