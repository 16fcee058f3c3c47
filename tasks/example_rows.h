// Lines of TSV and JSON files as rows: the fields of an example by the roles that they play.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/examples.h"

namespace ink {

enum Role : uint8_t { kText, kPair, kLabel, kGroup, kRoles, kSkip = kRoles };
inline constexpr std::array<const char*, kRoles> kRoleNames = {"text", "pair", "label", "group"};

// The names under which a field of this role is usually found; of a label they depend on its kind.
const std::vector<std::string>& usual_names(Role role, LabelKind kind);

// One row, field by role; a missing one has no value.
using Row = std::array<std::optional<std::string>, kRoles>;

// The lines of a TSV file, one after the other. Refers to the options.
class TsvRows {
 public:
  explicit TsvRows(const ReadOptions& options) : options_(options) {}

  // Nothing for a header. Raises Error "where: …" for a row that does not fit the first line.
  std::optional<Row> parse(std::string_view line, const std::string& where);

 private:
  using Fields = std::vector<std::string_view>;
  bool settle_roles(const Fields& fields, const std::string& where);
  bool is_header(const Fields& fields) const;
  void by_position(const std::string& columns, const std::string& where);
  void by_name(const Fields& fields, const std::string& where);

  const ReadOptions& options_;
  std::vector<Role> roles_;
  std::string layout_;
};

// A line of a JSON file; a list of several labels is its text.
Row parse_json_row(std::string_view line, const ReadOptions& options, const std::string& where);

}  // namespace ink
