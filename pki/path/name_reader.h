#pragma once

#include "pki/path/names.h"
#include "pki/path/networks.h"

#include <optional>
#include <string>
#include <string_view>

// What verifiers read in the texts that name constraints compare (inside). They all part here: one
// wants a host to be a DNS name, the next takes every byte for one.

namespace meshtrust::pki {

/// A mail address made ready for comparing: the domain in lower case.
struct MailText {
  std::string local;
  std::string domain;
};

/// Each function answers what is to be compared, in lower case, or nothing where the verifier
/// cannot read the text.
struct NameReader {
  std::optional<std::string> (*dns)(std::string_view name);
  std::optional<MailText> (*mail)(std::string_view address);
  std::optional<std::string> (*uri)(std::string_view uri);  ///< its host
  /// The same of constraints, where ".domain" is everything below it.
  std::optional<std::string> (*dns_constraint)(std::string_view text);
  std::optional<std::string> (*mail_constraint)(std::string_view text);  ///< without an '@'
  std::optional<std::string> (*uri_constraint)(std::string_view text);

  bool hosts_have_subdomains = false;  ///< in constraints of mail and URIs as in those of DNS names
  bool empty_hosts_are_all = false;    ///< likewise
  std::string_view wildcard = "*.";    ///< what a name that stands for others begins with
  bool folds_excluded_mail = true;     ///< the local part of an address too
  bool counts_bounds = true;           ///< a minimum or maximum makes a subtree unreadable
  bool takes_minimum_of_zero = false;  ///< but for the minimum that holds anyway
  NetworkSearch networks = NetworkSearch::kByMask;
  /// A permitted subtree that a name lies in saves it from the unreadable ones that follow, but for
  /// those with a minimum or maximum.
  bool match_ends_the_list = false;
};

const NameReader& own_names();
const NameReader& go_names();
const NameReader& boringssl_names();
const NameReader& webpki_names();

/// Whether Go's net/url and crypto/x509 read `uri` as an alternative name at all.
bool go_reads_uri(std::string_view uri);

}  // namespace meshtrust::pki
