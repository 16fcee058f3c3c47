// Labels: the classes of a task; id i is the i-th name (`id2label` of a model's config.json).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ink {

class Labels {
 public:
  Labels() = default;
  explicit Labels(std::vector<std::string> names);  // raises Error for an empty or repeated name

  // The distinct names of a data set in an order that does not depend on the order of its rows: by
  // value when all are integers, else by bytes.
  static Labels of_data(std::vector<std::string> names);

  int32_t size() const { return static_cast<int32_t>(names_.size()); }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& name(int32_t id) const;

  // The id of a name as it stands in data. Where the names are the placeholders LABEL_0, LABEL_1, …
  // a plain number is an id. Raises Error "where: …" with the known names, and `advice` behind.
  int32_t id_of(std::string_view name, std::string_view where, std::string_view advice = {}) const;
  std::string known() const;  // "calc, chart, writer", shortened beyond 12, for messages

  bool operator==(const Labels&) const = default;

 private:
  int32_t find(std::string_view name) const;  // -1 when absent
  std::vector<std::string> names_;
};

}  // namespace ink
