headline-items = { $count ->
    [one] dotyczy { $count } elementu
    [few] dotyczy { $count } elementów
    [many] dotyczy { $count } elementów
   *[other] dotyczy { $count } elementu
}

news-opened = Nowy incydent
news-updated = Aktualizacja
news-priority-raised = Poważniejszy niż zgłoszono wcześniej
news-acknowledged = Przyjęto do obsługi
news-acknowledged-by = Obsługę przejmuje { $person }
news-repeated = Nadal otwarty po { $duration }
news-escalated = Eskalacja na kolejny poziom
news-sla-threshold = Zagrożony poziom usługi
news-sla-breached = Nie dotrzymano poziomu usługi
news-reopened = Otwarty ponownie: awaria wróciła
news-resolved = Rozwiązany po { $duration }
news-resolved-by = Rozwiązany po { $duration } (kto: { $person })
news-merged = Teraz część innego incydentu
news-merged-into = Ciąg dalszy jako { $incident }
news-problem-proposed = To się powtarza: zaproponowano problem
news-problem-accepted = Problem został przyjęty: ktoś szuka przyczyny
news-problem-known-error = Przyczyna jest już znanym błędem
news-problem-resolved = Problem, który za tym stał, został rozwiązany
news-test = Wiadomość testowa. Nic się nie stało.

severity = { $severity ->
    [critical] krytyczny
    [major] poważny
    [minor] drobny
    [warning] ostrzeżenie
   *[info] informacja
}
state = { $state ->
    [acknowledged] w obsłudze
    [resolved] rozwiązany
    [closed] zamknięty
    [merged] scalony
    [pending] w ocenie
   *[open] otwarty
}
level = { $level ->
    [high] duża
    [medium] średnia
   *[low] mała
}
began = początek { $at }
assigned-to = przypisano do: { $person }

label-root-cause = Przyczyna
label-impact = Skutki
label-service-level = Poziom usługi
label-what-to-do = Co zrobić
label-evidence = Dowody
label-links = Odnośniki
label-note = Uwaga

root-cause-unknown = Jeszcze nieznana.
confidence = pewność { $percent } %
confirmed-by = potwierdza { $person }

impact-levels = Skala: { $impact }, pilność: { $urgency }
impact-services = { $count ->
    [one] Usługa: { $names }
    [few] { $count } usługi: { $names }
    [many] { $count } usług: { $names }
   *[other] { $count } usługi: { $names }
}
impact-items = { $count ->
    [one] Element: { $names }
    [few] { $count } elementy: { $names }
    [many] { $count } elementów: { $names }
   *[other] { $count } elementu: { $names }
}
impact-alerts = { $count ->
    [one] Aktywne alerty: { $firing } z { $count }
   *[other] Aktywne alerty: { $firing } z { $count }
}
and-more = jeszcze { $count }

service-level-due = { $target ->
    [respond] Reakcja do { $due } ({ $name })
   *[restore] Przywrócenie do { $due } ({ $name })
}
service-level-missed = { $target ->
    [respond] PRZEKROCZONO: reakcja do { $due } ({ $name })
   *[restore] PRZEKROCZONO: przywrócenie do { $due } ({ $name })
}
service-level-met = { $target ->
    [respond] Reakcja { $met }, termin { $due } ({ $name })
   *[restore] Przywrócono { $met }, termin { $due } ({ $name })
}

suspect-change = Podejrzana zmiana: { $change }
workaround = Znany błąd „{ $problem }”: { $workaround }
problem = Znany problem „{ $problem }”, na razie bez obejścia
problem-reopened = Uznano to za rozwiązane, ale wróciło; ponownie otwarte od { $at }
runbook = Instrukcja dla { $name }

alert-resolved = ustąpił
alerts-more = { $count ->
    [one] i jeszcze { $count } alert
    [few] i jeszcze { $count } alerty
    [many] i jeszcze { $count } alertów
   *[other] i jeszcze { $count } alertu
}
link-incident = Incydent { $incident }
link-alert = { $name } w { $source }

footer = Watchbell, incydent { $incident }, wiadomość { $number }
template-failed = Ustawiony szablon nie zadziałał ({ $error }). To jest tekst wbudowany.

button-acknowledge = Potwierdź
button-resolve = Rozwiązane
button-assign-to-me = Przypisz mnie
button-escalate = Eskaluj
button-mute = Wycisz na 1 h
button-wrong-cause = Zła przyczyna…

callback-acknowledged = Potwierdza { $person }.
callback-resolved = Rozwiązuje { $person }.
callback-assigned = Przypisano: { $person }.
callback-escalated = Pytany jest teraz następny poziom.
callback-commented = Zapisano.
callback-muted = { $item } i wszystko, co od tego zależy, jest wyciszone do { $until }.
callback-cause = Przyczyną jest teraz { $item }.
callback-which-cause = Co jest przyczyną?
callback-already = Tak już było.
callback-refused = Nie można tego zrobić: { $why }
callback-not-found = Nie ma incydentu { $incident }.
callback-ambiguous = To może być każdy z nich: { $incidents }.
callback-stranger = Nikt tutaj nie ma konta { $account }. Administrator może dodać je do osoby.
callback-nobody-on-call = { $schedule }: nikt
callback-no-schedule = Nie ma takiego grafiku.
callback-unknown = „{ $what }” nie jest niczym, co można tu zrobić. Spróbuj: help
callback-help = ack, resolve, take, escalate, mute lub cause z numerem incydentu; note z numerem i tekstem; oncall
