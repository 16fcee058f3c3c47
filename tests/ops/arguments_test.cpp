// Wrong arguments: whichever input of an op is wrong, and however, an Error names the op.
#include <set>

#include "tests/ops/outcome.h"

namespace ink {
namespace {

enum class Wrong { undefined, kind, width, rank };

const char* name_of(Wrong wrong) {
  switch (wrong) {
    case Wrong::undefined: return "undefined";
    case Wrong::kind: return "integers in place of numbers, or the reverse";
    case Wrong::width: return "f32 among f64";
    case Wrong::rank: return "one axis more";
  }
  return "";
}

Tensor spoiled(const Tensor& x, Wrong wrong) {
  switch (wrong) {
    case Wrong::undefined: return {};
    case Wrong::kind: return converted(x, is_float(x.dtype()) ? Dtype::i32 : Dtype::f64);
    case Wrong::width: return converted(x, Dtype::f32);
    case Wrong::rank: break;
  }
  Shape shape{1};
  for (const int64_t extent : x.shape()) shape.append(extent);
  return view(x, shape, row_major(shape), x.offset());
}

bool is_one_of(const char* name, const std::set<std::string>& names) {
  return names.contains(name);
}

// The bias of a linear layer, the gates.
bool may_be_absent(const OpCase& c, size_t k) {
  if (is_one_of(c.op->name, {"gate"})) return k > 0 && k + 1 < c.sample.in.size();
  return is_one_of(c.op->name, {"linear"}) && k == 2;
}

// Whether the op has to refuse input k spoiled this way. Elementwise ops, for one, take any rank.
bool has_to_raise(const OpCase& c, size_t k, Wrong wrong) {
  const auto is_number = [](const Tensor& x) { return is_float(x.dtype()); };
  switch (wrong) {
    case Wrong::undefined: return !may_be_absent(c, k);
    case Wrong::kind: return !is_one_of(c.op->name, {"reshape", "transpose", "slice", "expand"});
    case Wrong::width: return std::ranges::count_if(c.sample.in, is_number) > 1;
    case Wrong::rank:
      return is_one_of(c.op->name, {"attention", "gate", "cross_entropy", "soft_cross_entropy",
                                    "kl_divergence", "linear_cross_entropy"});
  }
  return false;
}

class OpArguments : public testing::TestWithParam<OpCase> {};

TEST_P(OpArguments, ErrorsNameTheOp) {
  const OpCase& c = GetParam();
  for (size_t k = 0; k < c.sample.in.size(); ++k) {
    const Tensor& x = c.sample.in[k];
    for (const Wrong wrong : {Wrong::undefined, Wrong::kind, Wrong::width, Wrong::rank}) {
      if (wrong == Wrong::width && !is_float(x.dtype())) continue;
      if (wrong == Wrong::rank && x.rank() == kMaxRank) continue;
      SCOPED_TRACE("input " + std::to_string(k) + ": " + name_of(wrong));
      std::vector<Tensor> in = c.sample.in;
      in[k] = spoiled(x, wrong);
      try {
        c.sample.call(in);
        EXPECT_FALSE(has_to_raise(c, k, wrong)) << "nothing was raised";
      } catch (const Error& e) {
        EXPECT_EQ(e.message().find(std::string(c.op->name) + ": "), 0U) << e.message();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Samples, OpArguments, testing::ValuesIn(cases_where([](const OpCase& c) {
                           return !c.sample.bench;
                         })),
                         test_name);

}  // namespace
}  // namespace ink
