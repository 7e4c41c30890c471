#pragma once

#include "base/error.h"
#include "cli/passphrase.h"
#include "cli/session.h"
#include "pki/inspect.h"
#include "run/tls_endpoint.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace meshtrust::cli {

/// A TLS server that was looked at; its certificates are among the objects.
struct SeenEndpoint {
  std::string source;
  run::TlsAnswer answer;
};

/// What was found in the places that a person has named.
struct Papers {
  std::vector<pki::InspectedObject> objects;
  std::vector<SeenEndpoint> endpoints;
  std::vector<std::string> skipped;  ///< files of folders that hold nothing known
  /// By source, the public part (`pki::public_part`) of files that are called as those of a bundle.
  std::map<std::string, std::string> bundle_files;
  base::Errors errors;
  std::vector<pki::Remark> remarks;  ///< on what other readers take otherwise

  std::vector<pki::Certificate> certificates() const;
};

/// Where papers are, and what is needed to look.
struct PaperOptions {
  std::vector<std::string> places;
  PassphraseOptions passphrase;
  std::string server_name;  ///< --sni
  std::string protocols;    ///< --alpn, a comma list

  enum class Places { kNeeded, kMayBeMissing };

  /// FILE..., and the flags for passphrases, --sni and --alpn.
  void declare(CLI::App& app, Places needed = Places::kNeeded);
};

/// A remark as a line for people, with its way out.
std::string text_of(const pki::Remark& remark);

/// Reads certificates, keys, requests and revocation lists from wherever they are: PEM, DER, PKCS#7
/// and PKCS#12 files, Secrets and ConfigMaps as YAML or JSON, "-" for standard input, folders (all
/// files below, names that begin with a dot left out), "tls://host:port". What cannot be read is
/// among the errors; the rest is read all the same.
Papers read_papers(Session& session, const PaperOptions& options);

}  // namespace meshtrust::cli
