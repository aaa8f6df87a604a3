# Hashes of hashes and arrays: words counted by the words that follow them.
use strict;
use warnings;

my (%following, %seen, $lines);
open my $file, '<', $ARGV[0] or die;
while (<$file>) {
  last if ++$lines > 20000;
  chomp;
  my @words = split / /;
  for my $i (0 .. $#words - 1) {
    $following{$words[$i]}{$words[$i + 1]}++;
    push @{$seen{$words[$i]}}, $lines if $i % 3 == 0;
  }
}
my ($pairs, $most, $most_word) = (0, 0, '');
for my $word (sort keys %following) {
  my $next = $following{$word};
  $pairs += keys %$next;
  ($most, $most_word) = (scalar keys %$next, $word) if keys %$next > $most;
  delete $following{$word} if length($word) % 2;
}
print "$pairs $most $most_word ", scalar(keys %following), ' ', scalar(keys %seen), "\n";
