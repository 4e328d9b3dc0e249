%% VENs reach the VTN and the server, and never each other (rule 515).
%%
%% What a client sends passes if it goes to a domain, or to the client's own account, or if `access` allows the sender
%% or the addressee, who is then the VTN. Everything else is refused with <forbidden/>.
-module(mod_vens_apart).
-behaviour(gen_mod).

-export([start/2, stop/1, reload/3, depends/2, mod_options/1, mod_opt_type/1, mod_doc/0]).
-export([apart/1]).

start(Host, _Options) ->
    ejabberd_hooks:add(user_send_packet, Host, ?MODULE, apart, 10).

stop(Host) ->
    ejabberd_hooks:delete(user_send_packet, Host, ?MODULE, apart, 10).

reload(_Host, _NewOptions, _OldOptions) ->
    ok.

depends(_Host, _Options) ->
    [].

mod_opt_type(access) ->
    econf:acl().

mod_options(_Host) ->
    [{access, none}].

mod_doc() ->
    #{desc => "Keeps the clients of a host apart from each other.",
      opts => [{access, #{value => "AccessName", desc => "Who reaches everybody, and is reached by everybody."}}]}.

apart({drop, _} = Dropped) ->
    Dropped;
apart({Stanza, State}) ->
    From = xmpp:get_from(Stanza),
    To = xmpp:get_to(Stanza),
    case passes(From, To) of
        true ->
            {Stanza, State};
        false ->
            Error = xmpp:err_forbidden(<<"VENs do not talk to each other">>, xmpp:get_lang(Stanza)),
            ejabberd_router:route_error(Stanza, Error),
            {stop, {drop, State}}
    end.

passes(From, To) ->
    {_, Host, _} = jid:tolower(From),
    {User, _, _} = jid:tolower(To),
    User =:= <<>> orelse jid:remove_resource(jid:tolower(From)) =:= jid:remove_resource(jid:tolower(To))
        orelse allowed(Host, From) orelse allowed(Host, To).

allowed(Host, Who) ->
    acl:match_rule(Host, gen_mod:get_module_opt(Host, ?MODULE, access), Who) =:= allow.
