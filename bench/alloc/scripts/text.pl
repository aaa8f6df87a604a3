# Strings: split, matched, substituted, sorted and joined, line by line and as a whole.
use strict;
use warnings;

open my $file, '<', $ARGV[0] or die;
my @lines = map { chomp; $_ } <$file>;
$#lines = 59999;
my @sorted = sort { length($a) <=> length($b) || $a cmp $b } map { join ' ', reverse split / / } @lines;
my $text = join "\n", @sorted;
my $count = ($text =~ s/\b(ba|ce|di)(\w+)/$2-$1/g);
my %by_length;
push @{$by_length{length $_}}, ucfirst lc $_ for split /[\n-]/, $text;
print length($text), " $count ", join(',', map { scalar @{$by_length{$_}} } (sort { $a <=> $b } keys %by_length)[0 .. 9]), "\n";
