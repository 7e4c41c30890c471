#pragma once

#include "pki/path/judge_chain.h"
#include "tests/pki/forge.h"

#include <functional>
#include <string>

namespace meshtrust::pki::testing {

/// root -> east -> leaf, each of which a case may spoil before it is made. A good TLS server.
struct PathScene {
  Forgery root;
  Forgery east = intermediate_forgery();
  Forgery leaf = server_forgery();

  static Forgery server_forgery();
};

/// `question` as the scene gives it at kNow.
ChainQuestion ask(const PathScene& scene);

PathCertificate as_path(const Certificate& certificate);
PathCertificate path_of(const Forgery& wanted, const Identity& issuer);

/// "accepted", or the id of the first failure.
std::string answer(const ChainQuestion& question, std::string_view judge = "meshtrust");

/// A revocation list of `issuer`, current at kNow unless told otherwise.
struct CrlForgery {
  base::Instant this_update = kNow - base::days(1);
  std::optional<base::Instant> next_update = kNow + base::days(7);
  std::vector<std::string> serials;  ///< hex
  /// Serials of certificates of somebody else, each with its certificateIssuer: "DER:3023...".
  std::vector<std::pair<std::string, std::string>> serials_of_others;
  std::vector<ExtensionText> extensions = {{"crlNumber", "DER:020107"}};
  const char* digest = "SHA256";
  Key signing_key;  ///< another key than the issuer's
};
PathCrl forge_crl(const CrlForgery& wanted, const Identity& issuer);

}  // namespace meshtrust::pki::testing
