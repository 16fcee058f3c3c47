// (x · w)ᵀ by hand and by the installed library: proves that headers, archive and link line are complete.
#include <cmath>
#include <cstdio>
#include <vector>

#include <inkstone.h>

int main() {
  const ink::Tensor x = ink::from(std::vector<float>{1, 2, 3, 4});
  const double sum = ink::sum(ink::mul(x, x)).item();
  std::printf("1 + 4 + 9 + 16 = %g\n", sum);
  return std::abs(sum - 30) < 1e-6 ? 0 : 1;
}
